import { PRESETS } from './presets/all.ts'

const NAME_WIDTH = Math.max(...PRESETS.map(({ name }) => name.length))
const PRESET_LINES = PRESETS.map(({ name, files }) => `  ${name.padEnd(NAME_WIDTH)}  ${files}`).join('\n')

/** What `footfall import --help` says below the options. */
export const HELP = `
Files: CSV, JSON lines, JSON arrays, and JSON objects over several lines, also compressed with gzip; and Parquet, compressed
with snappy, gzip, zstd or brotli, whose rows are read like JSON lines. Their content decides, not their names. The delimiter
(comma, semicolon, tab or |), line ends, UTF-8 and UTF-16 are detected, and a line says what was found. A file in
another encoding is refused until --encoding names it; Excel for Windows in Western Europe writes windows-1252. Zip archives
and workbooks are refused: unpack the archive, save the sheet as CSV. Before the header row "sep=;", blank lines and lines that
begin with # are skipped, and other lines with --skip. A header row that comes again is skipped too.

Try it first: --dry-run shows how each field gets its values and, of the first 10,000 rows of each file, three items, the refused rows
by reason with a line of the file, the span of time, and how many event types have no weight, which it asks the gateway. It
needs no running Footfall otherwise, and sends and writes nothing. When fields are missing, the columns that may have them are
proposed as options.

A broken row costs one row: it is refused, written to the file of rejected rows with its line and reason, and the rest is read.

Fields of an interaction: event_id, event_key, occurred_at, sent_at, account_id, account_number, session_id, event_type,
ref_type (Product unless given), ref_id, metadata (JSON), metadata.<key>, user_agent, ip_address. Fields of a product
(--products): product_id, seller_id, name, category, brand, price, currency, quantity, status, updated_at. Without --map, a column
with the name of a field is that field.

Presets (docs/import-presets.md says what each one maps and leaves out):
${PRESET_LINES}
--map and --set are tried before the rules of a preset, and the other options replace its own. Rows that are no items, e.g. page
views of GA4, are left out and counted in one line.

Rules for a field are tried in the order of the command; the first rule with a value whose condition holds wins. A condition is
COLUMN = VALUE (or != < <= > >= as numbers, ^= starts with), or COLUMN is [not] empty; "and" joins several. Put a column or a
value with special characters in double quotes. A row without an event_type is rejected. A date and a time in two
columns are joined: --map 'occurred_at=Date + Time'.

In JSON a column can be a path: properties.product.id, items[0].id, event_params[key=page].value (the first element whose key is
page). With [] it gives an item for each element of a list:
--map ref_id=properties.products[].product_id. Lists and objects themselves are no ids and no names.

Times: RFC 3339, 2026-03-01 12:00:00 (also with UTC or an offset), 2026/3/1, 20260301, 20260301T120000Z, 1 Mar 2026 12.00,
March 1, 2026 2:30 PM, Sun, 01 Mar 2026 12:00:00 +0100 (RFC 2822), and numbers since 1970, whose size shows whether they are
seconds, milliseconds, microseconds or nanoseconds, for the years 2000 to 2099. Dates whose year is last need
--time-format: dmy for 31.12.2026 14:05 and 31/12/26, mdy for 12/31/2026 2:05 PM; excel is for days of a spreadsheet, e.g.
46112.5. Times without a zone are UTC, unless --time-zone or --utc-offset says otherwise. With a time zone, a time that the clock
skips in spring is moved forward by what it skips, and a time that occurs twice in autumn is the first of both.

Numbers: --decimal , reads 1.234,50, 1 234,50 and 1234,5 (in prices, quantities, metadata.<key> and conditions); --decimal .
reads 1,234.50. An empty cell has no value; --null NULL makes NULL an empty cell too. Ids stay as they are written: what looks
damaged or like a missing value is counted in a warning.

An event's id is made from the content of its row, unless the row gives an event_id (a UUID) or an event_key (any other id). So
running an import again changes nothing, and a row that appears twice counts once. In logs without ids equal rows may be events
of their own: --identical-rows separate makes the id of the n-th equal row of a file from its content and n, which is safe to
run again too. It reads each file twice, and needs 16 bytes for each row in --temp-folder. Recorded events stay as they are even
when the rules change; only a row with another time (by another column, --utc-offset, --time-zone, --time-format or
--time-unit) becomes another event.

The newest updated_at of a product wins. A row without updated_at gets the time at which its file was written, so running the
import again changes nothing, and a file that was written later wins (touch it, so that its rows win after a change of rules).
The status is active unless a rule says hidden or deleted. A price is in minor units, e.g. cents, unless --price-decimals says
that it is decimal: with 2, 19.9 is 1990, exactly; with auto the row's currency says how many decimals there are, e.g. 0 for JPY
and 3 for KWD. With 2, prices in JPY or KWD are refused; so is 1.500 in EUR, unless --decimal says whether it is 1500 or 1.5. A
price needs a currency; without a price the currency is left out. A quantity is a whole number: 12, 12.0, and for back-orders -3,
3- or (3). --lenient records a product without a price, a currency or a quantity that cannot be read, so that the catalog has
none for it, and a warning at the end counts them.

Exit status: 0 when every row is recorded, now or before; 3 when some rows were refused; 4 when all were, or there was none,
also when a preset left out all; 2 when the command line is wrong or does not fit the files; 1 when the import failed, e.g. because the ingress or a file cannot be read, or
stopped on the way; 130 after Ctrl-C. A dry run ends with what the import of its rows would end with.

Examples:
  $ footfall import --preset ga4 events_20260301.json.gz
  $ footfall import events.csv --map account_id=user_id --map ref_id=product_id --map occurred_at=event_time \\
      --map event_type=event_type --values event_type:cart=add_to_cart --map metadata.price=price
  $ footfall import invoices.csv.gz --map ref_id=StockCode --map occurred_at=InvoiceDate --map account_id=CustomerID \\
      --map 'session_id=InvoiceNo if CustomerID is empty' \\
      --set 'event_type=return_product if InvoiceNo ^= C' --set 'event_type=purchase if Quantity > 0'
  $ footfall import kunden.csv --encoding windows-1252 --time-format dmy --time-zone Europe/Berlin --decimal , \\
      --map occurred_at=Datum --map account_id=Kunde --map ref_id=Artikel --map metadata.price=Preis --set event_type=purchase
  $ footfall import --products products.csv --map product_id=sku --map name=title --map category=shelf \\
      --map price=price --price-decimals 2 --set currency=EUR --set 'status=hidden if online = no'
`
