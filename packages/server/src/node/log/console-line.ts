/**
 * A line of the JSON log as zap's console encoder writes it: time, level, caller and message with tabs between them,
 * then the fields as JSON.
 */
export function consoleLine(jsonLine: string): string {
  const { level, ts, caller, msg, ...fields } = JSON.parse(jsonLine) as Record<string, unknown>;
  const parts = [ts, level, caller, msg].map(String);
  const pairs = Object.entries(fields).map(
    ([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`,
  );
  if (pairs.length > 0) parts.push(`{${pairs.join(', ')}}`);
  return `${parts.join('\t')}\n`;
}
