import { z } from 'zod'

/** The program that answers, and how it knows the caller. */
export const AboutResponse = z
  .object({
    data: z.object({
      version: z.string().describe('The version of Footfall.'),
      schema: z.int().describe('The number of the newest migration of the database.'),
      restate_ui_url: z
        .string()
        .nullable()
        .describe(
          "Restate's UI, where a browser of an operator reaches it; null where it is not known, and for a caller without the scope manage.",
        ),
      caller: z.object({
        name: z.string().nullable().describe('The name of the key, or `seller <id>` for a token; null where no key is needed.'),
        scopes: z
          .array(z.enum(['ingest', 'read', 'manage']))
          .describe('What the caller may do; everything where no key is needed.'),
        seller_id: z.string().nullable().describe('The seller to whom the key or token is bound.'),
      }),
    }),
  })
  .meta({
    examples: [
      {
        data: {
          version: '0.1.0',
          schema: 34,
          restate_ui_url: 'http://127.0.0.1:9070/ui',
          caller: { name: 'dashboard', scopes: ['read', 'manage'], seller_id: null },
        },
      },
    ],
  })
export type AboutResponse = z.infer<typeof AboutResponse>
