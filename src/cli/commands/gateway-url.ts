import { InvalidArgumentError } from 'commander'

/** Reads an option that is the address of a gateway. @returns it without slashes at its end */
export function gatewayUrl(text: string): string {
  if (URL.canParse(text) && /^https?:\/\//.test(text)) return text.replace(/\/+$/, '')
  throw new InvalidArgumentError('It is a URL such as http://127.0.0.1:3000.')
}
