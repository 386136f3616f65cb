/** A Vite plugin that puts a content policy into the built page: only its own files run, and only the page's origin and hubs are asked. */
import { createHash } from 'node:crypto';

/**
 * Hubs that the page may ask: Hugging Face with the hosts that it sends downloads to, its best known mirror, and servers of this machine.
 * LORATORY_HUBS adds others at build time, as `https://hub.example.org`, separated by spaces.
 */
const HUBS = [
  'https://huggingface.co',
  'https://*.huggingface.co',
  'https://*.hf.co',
  'https://hf-mirror.com',
  'http://localhost:*',
  'http://127.0.0.1:*',
];

/** @param {string} html */
function policyOf(html) {
  const inline = [...html.matchAll(/<script>([^]*?)<\/script>/g)].map(
    ([, source]) => `'sha256-${createHash('sha256').update(source).digest('base64')}'`,
  );
  const hubs = [...HUBS, ...(process.env.LORATORY_HUBS ?? '').split(' ').filter(Boolean)];
  return [
    "default-src 'none'",
    `script-src 'self' ${inline.join(' ')}`,
    "worker-src 'self'",
    `connect-src 'self' ${hubs.join(' ')}`,
    // Components place things by style attributes.
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

/** @returns {import('vite').Plugin} */
export function contentPolicy() {
  return {
    name: 'loratory-content-policy',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler: (html) =>
        html.replace(
          '<meta charset="utf-8" />',
          (first) => `${first}\n    <meta http-equiv="Content-Security-Policy" content="${policyOf(html)}" />`,
        ),
    },
  };
}
