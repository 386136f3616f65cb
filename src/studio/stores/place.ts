/** Where in the studio the user is. The address keeps it, so that links, reloads and the back button work. */
import { createStore } from 'zustand/vanilla';

export const PLACES = ['model', 'data', 'recipe', 'train', 'chat', 'export', 'runs'] as const;
export type Place = (typeof PLACES)[number];

export interface PlaceStore {
  place: Place;
}

function placeOf(hash: string): Place {
  return PLACES.find((place) => hash === `#${place}`) ?? 'train';
}

export function createPlaceStore(target: Pick<Window, 'location' | 'addEventListener'>) {
  return createStore<PlaceStore>((set) => {
    target.addEventListener('hashchange', () => set({ place: placeOf(target.location.hash) }));
    return { place: placeOf(target.location.hash) };
  });
}
