/** WebGPU in Node, by Dawn's own package. The page never imports this. */
import { create } from 'webgpu';

let instance: GPU | null = null;

/** Dawn's entry point; one for a process, kept alive as long as the process (Dawn aborts when it is collected early). */
export function nodeGpu(): GPU {
  instance ??= create([]);
  return instance;
}
