import swaggerUi from '@fastify/swagger-ui'
import type { RoutePlugin } from './deps.ts'

/** Nothing is loaded from other hosts. Swagger UI writes style attributes, and its icons are data. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** /docs: a page to read and try out /openapi.json, served by the gateway alone. */
export function docsRoutes(): RoutePlugin {
  return async (app) => {
    await app.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: POLICY,
      theme: { title: 'Footfall API' },
      // Without the bar that has the logo and a field for other documents.
      uiConfig: {
        layout: 'BaseLayout',
        docExpansion: 'list',
        defaultModelsExpandDepth: -1,
        displayRequestDuration: true,
      } as object,
    })
  }
}
