/** WebGPU in Node, by Dawn's own package. The page never imports this. */
import { create, globals } from 'webgpu';

let instance: GPU | null = null;

/** Dawn's entry point; one for a process, kept alive as long as the process (Dawn aborts when it is collected early). */
export function nodeGpu(): GPU {
  if (!instance) {
    instance = create([]);
    restWhileWaiting();
  }
  return instance;
}

/** Shorter than any submit, and long enough for the loop to leave the processor alone. */
const REST_MS = 1;

/**
 * While a promise of the device is open, Dawn's package asks for its end in every turn of Node's event loop, without a pause: a whole
 * core, which a software adapter would compute with (a step took 1.75 times as long on two cores). So a turn rests while one is open.
 */
function restWhileWaiting(): void {
  const never = new Int32Array(new SharedArrayBuffer(4));
  let open = 0;
  let isResting = false;
  const rest = () => {
    isResting = open > 0;
    if (!isResting) return;
    Atomics.wait(never, 0, 0, REST_MS);
    setImmediate(rest);
  };
  const watch = (name: string, method: string) => {
    const { prototype } = (globals as Record<string, { prototype: Record<string, (...args: unknown[]) => Promise<unknown>> }>)[name];
    const call = prototype[method];
    prototype[method] = async function (this: unknown, ...args) {
      open++;
      if (!isResting) setImmediate(rest);
      isResting = true;
      try {
        return await call.apply(this, args);
      } finally {
        open--;
      }
    };
  };
  watch('GPUQueue', 'onSubmittedWorkDone');
  watch('GPUBuffer', 'mapAsync');
  watch('GPUDevice', 'createComputePipelineAsync');
}
