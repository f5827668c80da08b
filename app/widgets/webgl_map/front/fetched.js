// What was fetched: arrays under the hash of their content, and thumbnails. Kept by the module, so a return to a page
// finds them again.

const ARRAYS = 16; // kept; the browser's own cache holds the rest
const FACES = 1500;

const arrays = new Map();

// The bytes at an address, as a promise of an ArrayBuffer; a failure is not kept.
export function bytes(address) {
  let found = arrays.get(address);
  arrays.delete(address);
  if (!found) {
    found = fetch(address).then((answer) => {
      if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
      return answer.arrayBuffer();
    });
    found.catch(() => arrays.delete(address));
  }
  arrays.set(address, found);
  if (arrays.size > ARRAYS) arrays.delete(arrays.keys().next().value);
  return found;
}

export async function json(address) {
  return JSON.parse(new TextDecoder().decode(await bytes(address)));
}

// Thumbnails by address, loaded when first asked for.
export class Faces {
  constructor(loaded) {
    this.loaded = loaded; // called whenever one has come
    this.images = new Map();
  }

  // The image, or null while it is on its way or if there is none.
  at(address) {
    let image = this.images.get(address);
    if (!image) {
      image = new Image();
      image.onload = this.loaded;
      image.src = address;
      this.images.set(address, image);
      if (this.images.size > FACES) this.images.delete(this.images.keys().next().value);
    }
    return image.complete && image.naturalWidth ? image : null;
  }
}
