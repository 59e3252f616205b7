/** Lines a second of one kind that clients can cause in the diagnostics. Those beyond are counted and summed up in one. */
export const LIMITED_LINES_PER_SECOND = 5;
