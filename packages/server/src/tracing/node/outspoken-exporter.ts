import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from '../../logger.ts';

/**
 * An exporter that says when the collector does not take spans: once, until it takes some again. The spans are lost,
 * and nothing else is the matter, so whoever hands them over hears of no failure.
 */
export class OutspokenExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #address: string;
  readonly #log: Logger;
  #isFailing = false;

  constructor(exporter: SpanExporter, address: string, log: Logger) {
    this.#exporter = exporter;
    this.#address = address;
    this.#log = log;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, ({ code, error }) => {
      if (code === ExportResultCode.SUCCESS) this.#succeeded();
      else this.#failed(spans.length, error);
      done({ code: ExportResultCode.SUCCESS });
    });
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  #succeeded(): void {
    if (this.#isFailing)
      this.#log.info('traces reach the collector again', { address: this.#address });
    this.#isFailing = false;
  }

  #failed(spans: number, error: Error | undefined): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    const fields = { address: this.#address, 'lost-spans': spans, error };
    this.#log.warn('traces do not reach the collector; they are lost until they do', fields);
  }
}
