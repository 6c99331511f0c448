// Terms of the filter language (docs/filter.md), written so that the server
// reads exactly the given value.
import { quote } from './filter';

/** One term. With the operator `==` the value is the very name; other operators are those of the language. */
export function term(field: string, value: string, op: '==' | '=' | '>=' | '<=' | '>' | '<' = '=='): string {
  return `${field}:${op === '=' ? '' : op}${quote(value)}`;
}

/** A term that any of the values fulfils. */
export function anyOf(field: string, values: string[]): string {
  return `${field}:==${values.map(quote).join(',')}`;
}

/** Terms that all have to hold; empty ones are left out. */
export function terms(...parts: (string | false | undefined)[]): string {
  return parts.filter(Boolean).join(' ');
}
