/** What a shopper did with a product, as context and preferences read it. Its id and time identify it. */
export interface ShopperEvent {
  eventId: string
  /** Milliseconds since 1970. */
  occurredAtMs: number
  productId: string
  eventType: string
  category?: string | undefined
  brand?: string | undefined
}
