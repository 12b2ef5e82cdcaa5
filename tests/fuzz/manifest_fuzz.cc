// Fuzz target: manifests, attestations and capture commits. What is accepted must be written and
// read again as the same.
#include <cstdint>

#include "format/manifest/capture.h"
#include "format/manifest/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lifeboat;
  using namespace lifeboat::manifest;
  const ByteView input{reinterpret_cast<const std::byte*>(data), size};
  if (const auto manifest = decode_manifest(input)) {
    const Bytes bytes = encode_manifest(*manifest);
    if (decode_manifest(bytes).value() != *manifest) __builtin_trap();
  }
  if (const auto attestation = decode_attestation(input)) {
    const Bytes bytes = encode_attestation(*attestation);
    if (decode_attestation(bytes).value() != *attestation) __builtin_trap();
  }
  if (const auto commit = decode_capture_commit(input)) {
    const Bytes bytes = encode_capture_commit(*commit);
    if (decode_capture_commit(bytes).value() != *commit) __builtin_trap();
  }
  return 0;
}
