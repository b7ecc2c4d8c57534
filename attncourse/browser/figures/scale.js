/** A function from what is measured to a place in the picture, as Python's `Scale`. */
export const scale = ([low, high, start, end]) => (value) =>
  start + ((value - low) / (high - low)) * (end - start);
