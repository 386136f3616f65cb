/** A shader imported as text; Vite and bin/wgsl-hooks.mjs give it the same way. */
declare module '*.wgsl?raw' {
  const source: string;
  export default source;
}
