/** Which bugs of a list cannot be planted any more, since the sources have changed under them. */

/** What planting a bug needs to know of it. */
interface PlantedText {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** The reason of each that does not fit; `sourceOf` reads a file that a bug names. */
export function misfits(
  mutants: readonly PlantedText[],
  sourceOf: (file: string) => string,
): readonly string[] {
  const names = new Set<string>();
  return mutants.flatMap(({ name, file, find, replace }) => {
    const isTwin = names.has(name);
    names.add(name);
    if (isTwin) return [`${name}: another one has its name`];
    if (find === replace) return [`${name}: it changes nothing`];
    const times = sourceOf(file).split(find).length - 1;
    return times === 1 ? [] : [`${name}: its text is ${times} times in ${file}`];
  });
}
