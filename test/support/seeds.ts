/**
 * Runs a simulation for many seeds. `SIMULATION_SEED=17` replays the one with seed 17, `SIMULATION_SEEDS=100000` runs that
 * many instead of the usual number.
 */

/** Calls `play` with each seed. A failure says how to play it again. */
export function forEachSeed(usualCount: number, play: (seed: number) => void): void {
  const only = process.env["SIMULATION_SEED"];
  const count = Number(process.env["SIMULATION_SEEDS"] ?? usualCount);
  const seeds = only === undefined ? Array.from({ length: count }, (_, seed) => seed) : [Number(only)];
  for (const seed of seeds) {
    try {
      play(seed);
    } catch (error) {
      process.stderr.write(`seed ${seed} fails; replay with SIMULATION_SEED=${seed}\n`);
      throw error;
    }
  }
}
