#include "model/kernels/kernels.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "core/expects.h"
#include "model/kernels/blocks.h"
#include "model/kernels/isa.h"

namespace spillway {
namespace {

bool has(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::portable:
      return true;
    case Isa::avx2:
      return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("f16c") != 0;
    case Isa::avx512:
      return has(Isa::avx2) && __builtin_cpu_supports("avx512f") != 0 &&
             __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
             __builtin_cpu_supports("avx512vnni") != 0;
  }
  return false;
#else
  return isa == Isa::portable;
#endif
}

std::vector<Isa> detect() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::avx512, Isa::avx2, Isa::portable}) {
    if (has(isa)) {
      isas.push_back(isa);
    }
  }
  return isas;
}

// Returns the partner of a type that the kernels take; other types have none.
std::optional<ActivationType> partner_of(TensorType weights) {
  switch (weights) {
    case TensorType::f32:
      return ActivationType::f32;
    case TensorType::f16:
      return ActivationType::f16;
    case TensorType::bf16:
      return ActivationType::bf16;
    case TensorType::q8_0:
    case TensorType::q4_0:
    case TensorType::q4_1:
    case TensorType::q5_0:
    case TensorType::q5_1:
    case TensorType::iq4_nl:
    case TensorType::mxfp4:
    case TensorType::nvfp4:
    case TensorType::q1_0:
    case TensorType::q2_0:
      return ActivationType::q8_0;
    case TensorType::q2_k:
    case TensorType::q3_k:
    case TensorType::q4_k:
    case TensorType::q5_k:
    case TensorType::q6_k:
    case TensorType::iq2_xxs:
    case TensorType::iq2_xs:
    case TensorType::iq2_s:
    case TensorType::iq3_xxs:
    case TensorType::iq3_s:
    case TensorType::iq4_xs:
    case TensorType::iq1_s:
    case TensorType::iq1_m:
    case TensorType::tq1_0:
    case TensorType::tq2_0:
      return ActivationType::q8_k;
    default:
      return std::nullopt;
  }
}

}  // namespace

bool can_multiply(TensorType type) {
  return partner_of(type).has_value();
}

ActivationType activation_type(TensorType weights) {
  const std::optional<ActivationType> partner = partner_of(weights);
  Expects(partner.has_value());
  return *partner;
}

size_t activation_bytes(ActivationType type, size_t columns) {
  size_t bytes = 0;
  switch (type) {
    case ActivationType::f32:
    case ActivationType::f16:
    case ActivationType::bf16:
      bytes = columns * sizeof(float);
      break;
    case ActivationType::q8_0:
      bytes = (columns + 255) / 256 * sizeof(ActivationQ8);
      break;
    case ActivationType::q8_k:
      bytes = (columns + 255) / 256 * sizeof(ActivationQ8K);
      break;
  }
  return (bytes + 63) / 64 * 64;
}

std::span<const Isa> available_isas() {
  static const std::vector<Isa> isas = detect();
  return isas;
}

const Kernels& kernels(Isa isa) {
  const std::span<const Isa> isas = available_isas();
  Expects(std::find(isas.begin(), isas.end(), isa) != isas.end());
#if defined(__x86_64__)
  if (isa == Isa::avx512) {
    return kAvx512Kernels;
  }
  if (isa == Isa::avx2) {
    return kAvx2Kernels;
  }
#endif
  return kPortableKernels;
}

Result<Isa> choose_isa(std::string_view asked) {
  const std::span<const Isa> isas = available_isas();
  if (asked.empty()) {
    return isas.front();
  }
  for (const Isa isa : {Isa::portable, Isa::avx2, Isa::avx512}) {
    if (name_of(isa) != asked) {
      continue;
    }
    if (std::find(isas.begin(), isas.end(), isa) == isas.end()) {
      return unavailable("SPILLWAY_ISA={}: this processor lacks that instruction set; the best it has is {}",
                         asked, name_of(isas.front()));
    }
    return isa;
  }
  return wrong_usage("SPILLWAY_ISA={}: no such instruction set; choose portable, avx2 or avx512", asked);
}

std::string_view name_of(Isa isa) {
  switch (isa) {
    case Isa::portable:
      return "portable";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
  }
  return "?";
}

void refuse_type(TensorType type) {
  Expects(can_multiply(type));
  std::abort();
}

}  // namespace spillway
