const SYMBOLS = new Map<string, string>()

/** An amount without the code or the symbol of its currency around it: `12,50 €` and `EUR 12,50` as `12,50`. Other symbols stay. */
export function withoutSymbol(text: string, currency: string): string {
  for (const symbol of [currency, symbolOf(currency)]) {
    if (text.startsWith(symbol)) return text.slice(symbol.length).trim()
    if (text.endsWith(symbol)) return text.slice(0, -symbol.length).trim()
  }
  return text
}

/** The short symbol, e.g. $ for USD; the code for a currency that has none, and for a text that is no code. */
function symbolOf(currency: string): string {
  if (!/^[A-Z]{3}$/.test(currency)) return currency
  let symbol = SYMBOLS.get(currency)
  if (symbol === undefined) SYMBOLS.set(currency, (symbol = shortSymbol(currency)))
  return symbol
}

function shortSymbol(currency: string): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency, currencyDisplay: 'narrowSymbol' })
  return format.formatToParts(0).find(({ type }) => type === 'currency')?.value ?? currency
}
