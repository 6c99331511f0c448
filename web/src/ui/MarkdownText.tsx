import { Anchor } from '@mantine/core';
import ReactMarkdown, { type Components } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import classes from './MarkdownText.module.css';

// Headings of reports are no headings of the page: they would break its order.
const Heading: Components['h1'] = ({ children }) => <p className={classes.heading}>{children}</p>;

const components: Components = {
  h1: Heading,
  h2: Heading,
  h3: Heading,
  h4: Heading,
  h5: Heading,
  h6: Heading,
  a: ({ href, children }) =>
    href ? (
      <Anchor href={href} target="_blank" rel="noreferrer" inherit underline="always">
        {children}
      </Anchor>
    ) : (
      <>{children}</>
    ),
  // Nothing is loaded from elsewhere because a report says so.
  img: ({ alt }) => <>{alt}</>,
  table: ({ children }) => (
    <div className={classes.scroll} tabIndex={0} role="group">
      <table>{children}</table>
    </div>
  ),
  pre: ({ children }) => (
    <pre tabIndex={0} className={classes.pre}>
      {children}
    </pre>
  ),
  input: () => null,
};

/** Markdown that others wrote: HTML in it is left out, links lead to http and https only. */
export function MarkdownText({ children }: { children: string }) {
  return (
    <div className={classes.text}>
      <ReactMarkdown remarkPlugins={[remarkGfm]} skipHtml components={components} urlTransform={harmless}>
        {children}
      </ReactMarkdown>
    </div>
  );
}

function harmless(address: string): string {
  return /^https?:\/\//i.test(address) ? address : '';
}
