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

// Thumbnails by address.
export class Faces {
  constructor(loaded) {
    this.loaded = loaded; // called whenever one has come
    this.images = new Map();
  }

  // The image, or null if it has not come, or if there is none.
  at(address) {
    const image = this.images.get(address);
    return image?.complete && image.naturalWidth ? image : null;
  }

  // Fetch those that are not here, and give up on others that are still on their way.
  want(addresses) {
    const wanted = new Set(addresses);
    for (const [address, image] of this.images) {
      if (image.complete || wanted.has(address)) continue;
      image.onload = null;
      image.src = "";
      this.images.delete(address);
    }
    for (const address of wanted) {
      const image = this.images.get(address) ?? this.fetch(address);
      this.images.delete(address);
      this.images.set(address, image); // as the last that goes
    }
    while (this.images.size > Math.max(FACES, wanted.size)) this.images.delete(this.images.keys().next().value);
  }

  fetch(address) {
    const image = new Image();
    image.onload = this.loaded;
    image.src = address;
    return image;
  }
}
