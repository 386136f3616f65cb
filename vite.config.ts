import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// The same headers as scripts/static-server.mjs: what works in development works in the build.
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

export default defineConfig({
  base: './', // the build works under any sub-path of any host
  plugins: [react()],
  worker: { format: 'es' },
  build: { target: 'es2023', sourcemap: true },
  server: { headers },
  preview: { headers },
});
