import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { offline } from './scripts/vite-offline.mjs';
import { contentPolicy } from './scripts/vite-policy.mjs';

// The same headers as scripts/static-server.mjs: what works in development works in the build.
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

export default defineConfig({
  base: './', // the build works under any sub-path of any host
  plugins: [react(), contentPolicy(), offline()],
  worker: { format: 'es' },
  build: { target: 'es2023', sourcemap: true },
  server: { headers },
  preview: { headers },
});
