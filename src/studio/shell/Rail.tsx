/** The rail: every place with its present state, so that it alone tells the state of the whole project. On a phone it lies at the bottom. */
import { NativeSelect, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { placeIcons } from '#studio/parts/icons.tsx';
import { railStates } from '#studio/shell/rail-states.ts';
import classes from '#studio/shell/shell.module.css';
import { type Place, PLACES } from '#studio/stores/place.ts';
import { isActive } from '#studio/stores/run.ts';

export function Rail({ place: current }: { place: Place }) {
  const text = useText();
  const studio = useStudio();
  const device = useStore(studio.device, (store) => store.device);
  const model = useStore(studio.model);
  const dataset = useStore(studio.dataset);
  const project = useStore(studio.project);
  const run = useStore(studio.run);
  const runs = useStore(studio.runs);
  const states = railStates({ device, model, dataset, project, run, runs }, text);
  return (
    <nav className={classes.rail} aria-label={text.placesLabel}>
      <Brand />
      <ul className={classes.places}>
        {PLACES.map((place) => (
          <li key={place}>
            <a className={classes.place} href={`#${place}`} aria-current={place === current ? 'page' : undefined}>
              <span className={classes.placeIcon}>{placeIcons[place]}</span>
              <span className={classes.placeName}>{text.places[place]}</span>
              <span className={classes.placeState} data-testid={`state-${place}`}>
                {states[place]}
              </span>
              {place === 'train' && <RunBar />}
            </a>
          </li>
        ))}
      </ul>
      <div className={classes.railFoot}>
        <DeviceLine />
        <Appearance />
      </div>
    </nav>
  );
}

export function Brand() {
  const text = useText();
  return (
    <div className={classes.brand}>
      <img src="./icon.svg" alt="" />
      {text.product}
    </div>
  );
}

/** How far the present run is: one of the two uses of the accent. */
function RunBar() {
  const state = useStore(useStudio().run, (run) => run.state);
  if (!isActive(state) || !('steps' in state) || state.steps === 0) return null;
  return (
    <span className={classes.placeBar}>
      <div style={{ width: `${(100 * state.step) / state.steps}%` }} />
    </span>
  );
}

function DeviceLine() {
  const text = useText().device;
  const device = useStore(useStudio().device, (store) => store.device);
  if (device.kind === 'asking') return <div>{text.asking}</div>;
  if (device.kind === 'missing') return <div>{device.error.code === 'gpu/device-lost' ? text.lost : text.missing}</div>;
  const { vendor, architecture, description, isSoftware } = device.summary;
  return (
    <div>
      <div className={classes.deviceKind}>{isSoftware ? text.software : text.hardware}</div>
      <div className={classes.deviceName}>{text.name(vendor, architecture, description)}</div>
    </div>
  );
}

export function Appearance() {
  const text = useText().appearance;
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <NativeSelect
      aria-label={text.label}
      size="xs"
      value={colorScheme}
      data={[
        { value: 'auto', label: text.auto },
        { value: 'light', label: text.light },
        { value: 'dark', label: text.dark },
      ]}
      onChange={(event) => setColorScheme(event.currentTarget.value as MantineColorScheme)}
    />
  );
}
