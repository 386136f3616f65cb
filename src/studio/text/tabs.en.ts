/** The strings of a second tab, and of a run in a tab that is not seen, in English. */
import { percent } from '#studio/text/format.ts';

export const tabs = {
  looking: 'Another tab is at work: this one shows its run as it goes on.',
  controls: 'Controls are off here while another tab is at work.',
  vacant: 'The tab that was at work was closed while its run was under way.',
  vacantAction:
    'This one shows the run as it was seen last. Taking over opens the project here, and offers to go on with what was kept of the run.',
  takeOver: 'Take over here',
};

export const background = {
  endNotice: {
    switchOn: 'Notify me at the end',
    switchOff: 'No notification at the end',
    denied: 'This browser was told to show no notifications of this page; its site settings change that.',
    body: 'Loratory, in the tab where it was trained.',
  },
  tabTitle: (product: string, words: string) => `${words} · ${product}`,
  wasHidden:
    'This tab was out of sight for a part of the run. Training goes on there, but a browser that saves energy may slow down or halt a tab that is not seen: keep it in view if steps take longer.',
  wasSlow: (share: number) =>
    share < 0.01
      ? 'While this tab was out of sight the run nearly stood still: this browser halts tabs that are not seen. Keep it in view.'
      : `While this tab was out of sight the run went at ${percent(share)} of its rate: this browser slows down tabs that are not seen. Keep it in view.`,
};
