import { expect, it } from 'vitest';
import { createStore } from 'zustand/vanilla';
import type { RunState } from '#protocol/trainer.ts';
import { createEndNotice } from '#studio/run-guard/end-notice.ts';
import type { RunStore } from '#studio/stores/run.ts';
import { memoryStorage } from '#studio/testing/fake-page.ts';

const done: RunState = { kind: 'done', step: 7, steps: 7, endedBy: 'steps', adapterStep: 7 };
const training: RunState = { kind: 'training', step: 6, steps: 7, secondsLeft: 1 };

function open({
  permission = 'default',
  answer = 'granted',
  storage = memoryStorage(),
}: Partial<{ permission: NotificationPermission; answer: NotificationPermission; storage: ReturnType<typeof memoryStorage> }> = {}) {
  const told: string[] = [];
  const sight = { isSeen: false, asked: 0 };
  class Fake {
    static permission = permission;
    static requestPermission(): Promise<NotificationPermission> {
      sight.asked++;
      return Promise.resolve(answer);
    }
    constructor(title: string) {
      told.push(title);
    }
  }
  const run = createStore<RunStore>(() => ({ state: training }) as RunStore);
  const words = ({ state }: RunStore) => ({ title: state.kind, body: '' });
  const notice = createEndNotice({ run, notices: Fake, storage, isSeen: () => sight.isSeen, words });
  const end = (state: RunState = done, before: RunState = training): void => {
    run.setState({ state: before });
    run.setState({ state });
  };
  return { notice, end, told, sight, storage };
}

it('tells of the end where the user asked for it, and never asks by itself', async () => {
  const { notice, end, told, sight } = open();
  end();
  expect([told, sight.asked]).toEqual([[], 0]);
  await notice.getState().switchOn();
  expect(sight.asked).toBe(1);
  end();
  end({ kind: 'failed', step: 3, error: { code: 'internal', message: '', details: {} }, remedies: [] });
  expect(told).toEqual(['done', 'failed']);
  notice.getState().switchOff();
  end();
  expect(told).toHaveLength(2);
});

it('says nothing where the page is looked at, of a run that goes on, or of one that was only opened', async () => {
  const { notice, end, told, sight } = open();
  await notice.getState().switchOn();
  end(training, { kind: 'paused', step: 5, steps: 7, why: 'user' });
  end(done, { kind: 'preparing', what: 'the kept run' });
  sight.isSeen = true;
  end();
  expect(told).toEqual([]);
});

it('stays on over a reload while the permission lasts, and off where it was refused', async () => {
  const { notice, storage } = open();
  await notice.getState().switchOn();
  expect(open({ permission: 'granted', storage }).notice.getState().isOn).toBe(true);
  expect(open({ permission: 'default', storage }).notice.getState().isOn).toBe(false);
  const refused = open({ answer: 'denied' });
  await refused.notice.getState().switchOn();
  expect(refused.notice.getState()).toMatchObject({ permission: 'denied', isOn: false });
});
