// Values to JSON with attachments, and back.

'use strict';

function isBinary(value) {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value) ||
    (typeof Blob === 'function' && value instanceof Blob) ||
    (typeof File === 'function' && value instanceof File);
}

/** Whether there is binary anywhere in a value, as it is before `toJSON`, or after. */
function hasBinary(value, isJson) {
  if (!value || typeof value !== 'object') return false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (hasBinary(value[i])) return true;
    return false;
  }
  if (isBinary(value)) return true;
  if (!isJson && typeof value.toJSON === 'function') return hasBinary(value.toJSON(), true);
  for (const key in value) {
    if (Object.prototype.hasOwnProperty.call(value, key) && hasBinary(value[key])) return true;
  }
  return false;
}

function bytesOf(value) {
  if (Buffer.isBuffer(value)) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  throw new TypeError('a Blob cannot be sent before it is read: use blob.arrayBuffer()');
}

/** The value with a placeholder for each piece of binary, which is put into `buffers`. */
function deconstruct(value, buffers) {
  if (!value || typeof value !== 'object') return value;
  if (isBinary(value)) {
    buffers.push(bytesOf(value));
    return { _placeholder: true, num: buffers.length - 1 };
  }
  if (Array.isArray(value)) return value.map((element) => deconstruct(element, buffers));
  if (value instanceof Date) return value;
  const parts = {};
  for (const key in value) {
    if (Object.prototype.hasOwnProperty.call(value, key)) parts[key] = deconstruct(value[key], buffers);
  }
  return parts;
}

/** Buffers in the places of their placeholders. */
function reconstruct(value, buffers) {
  if (!value || typeof value !== 'object') return value;
  if (value._placeholder === true) return buffers[value.num];
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = reconstruct(value[i], buffers);
  } else {
    for (const key in value) {
      if (Object.prototype.hasOwnProperty.call(value, key)) value[key] = reconstruct(value[key], buffers);
    }
  }
  return value;
}

/**
 * An array as JSON. `buffers` gets what is binary in it; nothing is looked for if no element is an object.
 * @param {unknown[]} array
 * @param {Buffer[]} buffers
 */
function serialize(array, buffers) {
  for (let i = 0; i < array.length; i++) {
    const value = array[i];
    if (typeof value === 'object' && value !== null && hasBinary(value)) {
      return JSON.stringify(deconstruct(array, buffers));
    }
  }
  return JSON.stringify(array);
}

module.exports = { hasBinary, reconstruct, serialize };
