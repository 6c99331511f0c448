/** The mark: two nodes tied to a third. */
export function Logo({ size = 24 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden focusable="false">
      <rect width="32" height="32" rx="7" fill="#0b7285" />
      <path d="M7 23c5 0 5-14 9-14s4 14 9 14" fill="none" stroke="#fff" strokeWidth="2.6" strokeLinecap="round" />
      <circle cx="7" cy="23" r="2.6" fill="#fff" />
      <circle cx="16" cy="9" r="2.6" fill="#fff" />
      <circle cx="25" cy="23" r="2.6" fill="#fff" />
    </svg>
  );
}
