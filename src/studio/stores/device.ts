/** What computes, as the trainer said; or why nothing does. */
import { createStore } from 'zustand/vanilla';
import { AppError, fromWire, toWire } from '#base/errors.ts';
import type { DeviceSummary } from '#protocol/trainer.ts';
import type { Trainer } from '#studio/clients.ts';

export type DeviceState = { kind: 'asking' } | { kind: 'ready'; summary: DeviceSummary } | { kind: 'missing'; error: AppError };

export interface DeviceStore {
  device: DeviceState;
  /** Why the device was lost, while a new one is taken and the model goes back to it; a run tells this by its own state. */
  recovering: string | null;
  open: () => Promise<void>;
}

/** @param hasWebGpu whether the page itself has `navigator.gpu`: where it has none, its workers have none */
export function createDeviceStore(trainer: Trainer, hasWebGpu: boolean) {
  return createStore<DeviceStore>((set) => {
    trainer.on('deviceLost', ({ reason, isRecovering }) => {
      if (isRecovering) {
        set({ recovering: reason });
        return;
      }
      const error = new AppError('gpu/device-lost', `the device was lost: ${reason}`, { found: reason });
      set({ recovering: null, device: { kind: 'missing', error } });
    });
    trainer.on('deviceBack', () => set({ recovering: null }));
    trainer.on('state', ({ kind }) => {
      if (kind === 'recovering') set({ recovering: null });
    });
    trainer.onDied((error) => set({ device: { kind: 'missing', error } }));
    return {
      device: { kind: 'asking' },
      recovering: null,
      async open() {
        set({ device: { kind: 'asking' } });
        if (!hasWebGpu) {
          set({ device: { kind: 'missing', error: new AppError('gpu/no-webgpu', 'this browser offers no WebGPU to the page') } });
          return;
        }
        try {
          set({ device: { kind: 'ready', summary: await trainer.call('openDevice') } });
        } catch (error) {
          set({ device: { kind: 'missing', error: asAppError(error) } });
        }
      },
    };
  });
}

/** Whatever was thrown, as the one class that the page shows. */
export function asAppError(error: unknown): AppError {
  return error instanceof AppError ? error : fromWire(toWire(error));
}
