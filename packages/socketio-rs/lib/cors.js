// The headers that let pages of other origins read answers, from the option `cors` of 4.x: the rules of the
// npm package `cors`, which the option is named after.

'use strict';

const DEFAULTS = { origin: '*', methods: 'GET,HEAD,PUT,PATCH,POST,DELETE', preflightContinue: false, optionsSuccessStatus: 204 };

function isAllowed(origin, rule) {
  if (Array.isArray(rule)) return rule.some((one) => isAllowed(origin, one));
  if (typeof rule === 'string') return origin === rule;
  if (rule instanceof RegExp) return rule.test(origin);
  return !!rule;
}

function vary(headers, name) {
  const before = headers.Vary;
  headers.Vary = before ? `${before}, ${name}` : name;
}

function list(value) {
  return Array.isArray(value) ? value.join(',') : value;
}

function headersOf(options, req) {
  const headers = {};
  const { origin } = req.headers;
  if (!options.origin || options.origin === '*') {
    headers['Access-Control-Allow-Origin'] = '*';
  } else if (typeof options.origin === 'string') {
    headers['Access-Control-Allow-Origin'] = options.origin;
    vary(headers, 'Origin');
  } else {
    if (isAllowed(origin, options.origin)) {
      if (origin) headers['Access-Control-Allow-Origin'] = origin;
    }
    vary(headers, 'Origin');
  }
  if (options.credentials === true) headers['Access-Control-Allow-Credentials'] = 'true';
  const exposed = list(options.exposedHeaders);
  if (exposed) headers['Access-Control-Expose-Headers'] = exposed;
  if (req.method === 'OPTIONS') {
    const methods = list(options.methods);
    if (methods) headers['Access-Control-Allow-Methods'] = methods;
    const allowed = list(options.allowedHeaders || options.headers);
    if (allowed) {
      headers['Access-Control-Allow-Headers'] = allowed;
    } else {
      vary(headers, 'Access-Control-Request-Headers');
      const asked = req.headers['access-control-request-headers'];
      if (asked) headers['Access-Control-Allow-Headers'] = asked;
    }
    if (typeof options.maxAge === 'number' || (options.maxAge && options.maxAge.length)) {
      headers['Access-Control-Max-Age'] = String(options.maxAge);
    }
  }
  return headers;
}

/** A middleware of the engine: sets the headers, and answers preflights. */
function cors(given) {
  const withOptions = (options, req, res, next) => {
    for (const [name, value] of Object.entries(headersOf(options, req))) {
      res.setHeader(name, name === 'Vary' && res.getHeader('Vary') ? `${res.getHeader('Vary')}, ${value}` : value);
    }
    if (req.method !== 'OPTIONS' || options.preflightContinue) return next();
    res.statusCode = options.optionsSuccessStatus;
    res.setHeader('Content-Length', '0');
    res.end();
  };
  const decide = (said, req, res, next) => {
    const options = { ...DEFAULTS, ...said };
    if (typeof options.origin !== 'function') {
      if (said && said.origin === false) return next();
      return withOptions(options, req, res, next);
    }
    options.origin(req.headers.origin, (error, origin) => {
      if (error || !origin) return next(error);
      withOptions({ ...options, origin }, req, res, next);
    });
  };
  return (req, res, next) => {
    if (typeof given !== 'function') return decide(given, req, res, next);
    given(req, (error, options) => (error ? next(error) : decide(options, req, res, next)));
  };
}

module.exports = { cors };
