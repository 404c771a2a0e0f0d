import { setTimeout as sleep } from 'node:timers/promises'
import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { setGlobalErrorHandler, W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import type { HooksProvider } from '@restatedev/restate-sdk'
import { openTelemetryHook } from '@restatedev/restate-sdk-opentelemetry'
import { statementSpans } from './statement-spans.ts'
import type { Tracing } from './tracing.ts'

const STOP_MS_MAX = 2_000

/** The longest statement has half of it. */
const ATTRIBUTE_CHARACTERS_MAX = 8_192

export interface OpenTelemetryOptions {
  /** An OTLP receiver's traces, over HTTP. Its headers and timeout are the standard's environment variables. */
  url: string
  /** Of the process. */
  name: string
  /** The part of the traces that begin here and are kept. A caller's decision goes before it. */
  ratio: number
  /** Called when traces cannot be sent; they are dropped. */
  onProblem: (error: unknown) => void
}

/** Sends the traces of this process; makes the context follow asynchronous work, and take W3C headers in and out. */
export async function startOpenTelemetry({ url, name, ratio, onProblem }: OpenTelemetryOptions): Promise<Tracing> {
  const given = detectResources({ detectors: [envDetector] })
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': name }))
      .merge(given),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanLimits: { attributeValueLengthLimit: ATTRIBUTE_CHARACTERS_MAX },
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url }) })],
  })
  setGlobalErrorHandler(onProblem)
  context.setGlobalContextManager(new AsyncLocalStorageContextManager())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(provider)
  return {
    isOn: true,
    hooks: [namedSteps(openTelemetryHook({ tracer: provider.getTracer('footfall-endpoint') }))],
    store: { queried: statementSpans(provider.getTracer('footfall-store')) },
    // A receiver that is away must not hold up the end of the process.
    stop: () => Promise.race([provider.shutdown(), sleep(STOP_MS_MAX, undefined, { ref: false })]),
  }
}

/** Reading the clock is a step without a name; it takes no time, and needs no span. */
function namedSteps(provider: HooksProvider): HooksProvider {
  return (attempt) => {
    const { handler, run } = provider(attempt).interceptor ?? {}
    return {
      interceptor: {
        ...(handler && { handler }),
        ...(run && { run: (name, next) => (name === '' ? next() : run(name, next)) }),
      },
    }
  }
}
