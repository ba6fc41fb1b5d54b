'use strict';
// The TypeScript compiler, `--strict`, over files anywhere: `contract` is the module of declarations that they are
// checked against. Gives what it says, by file and line.
const path = require('path');
const ts = require('typescript');

function compile(files, declarations) {
  const options = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    types: [],
    paths: { contract: [declarations], 'socket.io-client': [path.join(__dirname, '../node_modules/socket.io-client')] },
  };
  const program = ts.createProgram(files, options);
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => ({
    file: diagnostic.file ? path.resolve(diagnostic.file.fileName) : '',
    line: diagnostic.file ? diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start).line + 1 : 0,
    code: 'TS' + diagnostic.code,
    text: ts.flattenDiagnosticMessageText(diagnostic.messageText, ' '),
  }));
}

module.exports = { compile };
