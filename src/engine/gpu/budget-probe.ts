/** Learns how many bytes a device gives, which WebGPU does not tell, by taking them. Knows nothing of models or of the session's own device. */
import { AppError } from '#base/errors.ts';
import { type Gpu, type OwnedBuffer, USAGE } from '#engine/gpu/device.ts';

export interface ProbeOptions {
  /** No more than this is taken. */
  capBytes: number;
  /** To begin with; what is refused is tried again in halves. */
  pieceBytes?: number;
  /** Asked between two pieces. */
  signal?: AbortSignal;
  onProgress?: (heldBytes: number, capBytes: number) => void;
}

export interface ProbeResult {
  /** What was held at once, every byte of it written. */
  budgetBytes: number;
  /** The device gave all that it was asked for: it may have more. */
  reachedCap: boolean;
}

const PIECE_BYTES = 256 * 1024 * 1024;
/** The answer is this close to what the device gives. */
const LEAST_PIECE_BYTES = 16 * 1024 * 1024;
/** A buffer is cleared in whole words. */
const WORD_BYTES = 4;

/**
 * Takes memory piece by piece until the device refuses or is lost, or the cap is reached, and gives all of it back. Each piece is cleared before the next, since
 * drivers back with memory only what is written; the wait for it leaves the thread to others. The device may be lost in this: give it one of
 * its own.
 * @throws AppError `run/cancelled` when the signal is aborted
 */
export async function probeBudget(
  gpu: Gpu,
  { capBytes, pieceBytes = PIECE_BYTES, signal, onProgress }: ProbeOptions,
): Promise<ProbeResult> {
  const pieces: OwnedBuffer[] = [];
  const cap = capBytes - (capBytes % WORD_BYTES);
  const least = Math.min(LEAST_PIECE_BYTES, pieceBytes);
  let wanted = Math.min(pieceBytes, gpu.limits.maxBufferBytes);
  let heldBytes = 0;
  try {
    while (heldBytes < cap && wanted >= least) {
      if (signal?.aborted) throw new AppError('run/cancelled', 'the check of the device was cancelled');
      const size = Math.min(wanted, cap - heldBytes);
      const piece = await takePiece(gpu, size);
      if (piece === 'lost') break;
      if (piece === 'refused') {
        wanted = Math.floor(wanted / 2 / WORD_BYTES) * WORD_BYTES;
      } else {
        pieces.push(piece);
        heldBytes += size;
        onProgress?.(heldBytes, cap);
      }
    }
    return { budgetBytes: heldBytes, reachedCap: heldBytes >= cap };
  } finally {
    for (const piece of pieces) piece.destroy();
  }
}

/** A buffer with every byte of it written. */
async function takePiece(gpu: Gpu, sizeBytes: number): Promise<OwnedBuffer | 'refused' | 'lost'> {
  const made: OwnedBuffer[] = [];
  const take = async (): Promise<OwnedBuffer> => {
    const piece = await gpu.checked('the check of the device', () => {
      const buffer = gpu.createBuffer('scratch', 'budget probe', sizeBytes, USAGE.copyDst | USAGE.storage);
      made.push(buffer);
      const encoder = gpu.device.createCommandEncoder();
      encoder.clearBuffer(buffer.buffer);
      gpu.device.queue.submit([encoder.finish()]);
      return buffer;
    });
    await gpu.device.queue.onSubmittedWorkDone();
    return piece;
  };
  let found: OwnedBuffer | 'refused' | 'lost' = 'refused';
  try {
    found = await Promise.race([take(), gpu.lost.then(() => 'lost' as const)]);
  } catch (error) {
    const cause = await gpu.causeOf(error);
    if (cause instanceof AppError && cause.code === 'gpu/device-lost') found = 'lost';
    else if (!(cause instanceof AppError) || cause.code !== 'gpu/out-of-memory') throw cause;
  } finally {
    for (const piece of made) if (piece !== found) piece.destroy();
  }
  return found;
}
