/**
 * Names of columns that usually have a field's values, the likeliest first, in lower case and without blanks and signs. They are only
 * proposed, because a name can mean something else.
 */
export type HeaderNames = Readonly<Record<string, readonly string[]>>

const words = (text: string) => text.trim().split(/\s+/)

/** For interactions. An earlier field has the first choice of a name that two fields list. */
export const INTERACTION_NAMES: HeaderNames = {
  occurred_at: words(`
    occurredat eventtimestamp eventtime eventdatetime timestamp datetime timestamputc originaltimestamp clienttimestamp
    collectortstamp servertime ts tdat datumuhrzeit
    invoicedate orderdate orderpurchasetimestamp purchasedate purchasetime transactiondate visittime eventdate createdat created
    zeitstempel zeitpunkt bestelldatum rechnungsdatum time zeit date datum`),
  account_id: words(`
    accountid userid customerid customeruniqueid memberid shopperid buyerid userpseudoid customernumber customerno uid user customer
    kundennummer kundennr kundenid kunde visitorid`),
  session_id: words(`
    sessionid usersession gasessionid visitid session anonymousid visitorid clientid deviceid cookieid cartid`),
  event_type: words(`
    eventtype eventname event actiontype action interactiontype interaction behaviortype behaviourtype behavior behaviour
    feedbacktype activitytype activity verb ereignis aktion type typ`),
  ref_id: words(`
    refid productid itemid stockcode sku skuid articleid articlenumber articleno productsku productcode itemcode goodsid asin
    lineitemsku variantid contentid artikelnummer artikelnr artikelid artikel product item article`),
  'metadata.price': words('price unitprice itemprice productprice lineitemprice preis einzelpreis'),
  'metadata.quantity': words('quantity qty lineitemquantity menge anzahl'),
}

/** For products. Prices are left out, because their name does not say their currency and decimals. */
export const PRODUCT_NAMES: HeaderNames = {
  product_id: words(`
    productid itemid sku variantsku stockcode skuid articleid articlenumber articleno productcode itemcode asin artikelnummer artikelnr
    artikelid handle id`),
  name: words(`
    name title productname itemname producttitle itemtitle productdisplayname bezeichnung artikelbezeichnung produktname titel
    description`),
  category: words(`
    category categorycode categoryname productcategory productcategoryname categoryid itemcategory producttype kategorie warengruppe
    department`),
  brand: words('brand brandname itembrand manufacturer marke hersteller'),
  seller_id: words('sellerid merchantid vendorid seller merchant vendor'),
  quantity: words('quantity qty stock stockquantity inventory variantinventoryqty inventoryquantity bestand lagerbestand'),
}

/** A name without the ways of writing it: User_ID, userId and `user id` are one name. */
export function normalised(name: string): string {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]/gu, '')
}
