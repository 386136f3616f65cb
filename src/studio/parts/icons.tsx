/** The few pictures of the studio, drawn on a grid of 20. They say nothing that words beside them do not. */
import type { ReactNode } from 'react';
import type { Place } from '#studio/stores/place.ts';

function Icon({ children }: { children: ReactNode }) {
  return (
    <svg
      width="20"
      height="20"
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

export const placeIcons: Record<Place, ReactNode> = {
  model: (
    <Icon>
      <path d="M10 2.5 16.5 6v8L10 17.5 3.5 14V6Z" />
      <path d="M3.5 6 10 9.5 16.5 6M10 9.5v8" />
    </Icon>
  ),
  data: (
    <Icon>
      <rect x="3" y="3.5" width="14" height="13" rx="1" />
      <path d="M3 8h14M3 12.25h14M8.5 8v8.5" />
    </Icon>
  ),
  recipe: (
    <Icon>
      <path d="M3 5.5h8M15 5.5h2M3 10h2M9 10h8M3 14.5h6M13 14.5h4" />
      <circle cx="13" cy="5.5" r="2" />
      <circle cx="7" cy="10" r="2" />
      <circle cx="11" cy="14.5" r="2" />
    </Icon>
  ),
  train: (
    <Icon>
      <path d="M3 3v14h14" />
      <path d="M5.5 5c1 6 3 7.5 5.5 8.2 2 .6 3.500.8 6 .8" />
    </Icon>
  ),
  chat: (
    <Icon>
      <path d="M3 4h6v7H6l-3 2.500Z" />
      <path d="M11 7h6v9.500L14 14h-3Z" />
    </Icon>
  ),
  runs: (
    <Icon>
      <path d="M7 5h10M7 10h10M7 15h10" />
      <path d="M3 5h.5M3 10h.5M3 15h.5" />
    </Icon>
  ),
  export: (
    <Icon>
      <path d="M10 3v9M6.500 8.500 10 12l3.500-3.500M3.500 13.500v3h13v-3" />
    </Icon>
  ),
};

export function ArrowIcon({ direction }: { direction: 'left' | 'right' }) {
  return <Icon>{direction === 'left' ? <path d="M12 5 7 10l5 5" /> : <path d="m8 5 5 5-5 5" />}</Icon>;
}
