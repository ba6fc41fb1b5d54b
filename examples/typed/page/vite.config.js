// `npm run dev` serves the page and hands the rest to `cargo run --package typed`.
export default {
  build: { sourcemap: false, emptyOutDir: true, assetsInlineLimit: 0 },
  server: { proxy: { '/socket.io': { target: 'http://127.0.0.1:3000', ws: true } } },
};
