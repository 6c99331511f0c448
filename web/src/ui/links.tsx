// Links to our own pages that look like the component library's: address,
// parameters and search are checked by the compiler.
import { Anchor, Button, type AnchorProps, type ButtonProps } from '@mantine/core';
import { createLink } from '@tanstack/react-router';
import { forwardRef, type AnchorHTMLAttributes } from 'react';

type Attributes<P> = P & Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof P>;

export const AnchorLink = createLink(forwardRef<HTMLAnchorElement, Attributes<AnchorProps>>(function AnchorLink(props, ref) {
  return <Anchor ref={ref} {...props} />;
}));

export const ButtonLink = createLink(forwardRef<HTMLAnchorElement, Attributes<ButtonProps>>(function ButtonLink(props, ref) {
  return <Button component="a" ref={ref} {...props} />;
}));
