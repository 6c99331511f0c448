/**
 * A message of the server as a sentence on a page. It begins with a small letter,
 * as messages in terminals do; a command, a path or a quotation stays as it is.
 */
export function sentence(message: string): string {
  const first = /^[a-z]+(?=[\s,:;]|$)/.exec(message)?.[0];
  if (!first || first === 'sinew') return message;
  return message[0]!.toUpperCase() + message.slice(1);
}
