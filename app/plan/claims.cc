#include "app/plan/claims.h"

#include <algorithm>
#include <cmath>

#include "app/cli/json_file.h"
#include "app/cli/json_keys.h"
#include "app/presets/plan_presets.h"
#include "app/presets/presets.h"
#include "core/json.h"
#include "core/parse_json.h"
#include "core/units.h"
#include "sim/plan/plan.h"

namespace spillway {
namespace {

// Returns the share of the experts that is cached: from the row's cache size, or from the room that its
// memory leaves.
Result<double> cached_share(JsonKeys& keys, const plan::Decode& inputs) {
  if (keys.has("cache")) {
    const Result<Bytes> size = parse_bytes(keys.text("cache"));
    return size ? Result<double>(double(size->count) / double(inputs.model.bank()))
                : Unexpected(size.error());
  }
  plan::Question question;
  question.model = inputs.model;
  question.machine = inputs.machine;
  question.context = inputs.context;
  question.top_k = inputs.top_k;
  const plan::MemoryPlan memory = plan::plan_memory(question);
  if (!memory.fits()) {
    return failed("the model does not fit in memory; it needs {}", format_bytes(memory.needed()));
  }
  if (!inputs.runtime.streams && !memory.holds_all_experts()) {
    return failed("the experts do not fit, and {} keeps them all in memory", inputs.runtime.name);
  }
  return memory.cached_share();
}

Result<plan::Decode> read_inputs(JsonKeys& keys, const std::string& directory) {
  Result<ModelShapePreset> model = load_model_shape(keys.text("model"), directory);
  Result<plan::BitWidths> bits = plan::parse_bits(keys.text("bits"));
  Result<MachinePreset> machine = load_machine(keys.text("machine"), directory);
  Result<uint64_t> memory = parse_memory(keys.text("memory"));
  Result<plan::Runtime> runtime = load_runtime(keys.text("runtime"), directory);
  for (const Error* error : {model ? nullptr : &model.error(), bits ? nullptr : &bits.error(),
                             machine ? nullptr : &machine.error(), memory ? nullptr : &memory.error(),
                             runtime ? nullptr : &runtime.error()}) {
    if (error != nullptr) {
      return Unexpected(*error);
    }
  }
  Result<plan::LocalityProfile> locality = load_locality(keys.text("locality", model->locality), directory);
  if (!locality) {
    return propagate(locality);
  }
  plan::Decode inputs;
  inputs.model = plan::model_bytes(model->shape, *bits);
  inputs.machine = machine->machine;
  inputs.machine.memory = *memory;
  inputs.runtime = *runtime;
  inputs.locality = *locality;
  inputs.top_k = keys.count("top_k", model->shape.top_k);
  inputs.context = keys.count("context");
  if (!inputs.machine.drive.empty()) {
    Result<plan::Drive> drive = load_drive(inputs.machine.drive, directory);
    if (!drive) {
      return propagate(drive);
    }
    inputs.drive = *drive;
  }
  Result<double> share = cached_share(keys, inputs);
  if (!share) {
    return propagate(share);
  }
  inputs.cached_share = *share;
  return inputs;
}

Result<Claim> read_claim(const Json& row, const std::string& directory) {
  JsonKeys keys(row);
  Claim claim;
  claim.system = keys.text("system");
  claim.what = keys.text("what");
  claim.published = keys.real("tok_per_s");
  claim.note = keys.text("note", "");
  Result<plan::Decode> inputs = read_inputs(keys, directory);
  if (keys.problem() || !inputs || claim.published <= 0) {
    return failed("claims: {}, {}: {}", claim.system, claim.what,
                  keys.problem() ? keys.problem()->message
                  : !inputs      ? inputs.error().message
                                 : "'tok_per_s' must be above 0");
  }
  claim.inputs = std::move(*inputs);
  claim.forecast = plan::forecast(claim.inputs);
  return claim;
}

Result<UncoveredClaim> read_uncovered(const Json& row) {
  JsonKeys keys(row);
  UncoveredClaim claim{keys.text("system"), keys.text("what"), keys.real("tok_per_s"), keys.text("why")};
  if (keys.problem()) {
    return failed("claims: {}", keys.problem()->message);
  }
  return claim;
}

}  // namespace

size_t Claims::within(double tolerance) const {
  return size_t(std::count_if(covered.begin(), covered.end(),
                              [&](const Claim& claim) { return std::abs(claim.error()) <= tolerance; }));
}

Result<Claims> check_claims(const std::string& directory) {
  Result<PresetFile> file = read_preset("claims", "published", directory);
  if (!file) {
    return propagate(file);
  }
  const Result<Json> json = parse_preset(*file, "spillway.claims/1");
  if (!json) {
    return Unexpected(json.error());
  }
  JsonKeys keys(*json);
  Claims claims;
  for (const Json& row : keys.list("rows")) {
    Result<Claim> claim = read_claim(row, directory);
    if (!claim) {
      return propagate(claim);
    }
    claims.covered.push_back(std::move(*claim));
  }
  for (const Json& row : keys.list("not_covered")) {
    Result<UncoveredClaim> claim = read_uncovered(row);
    if (!claim) {
      return propagate(claim);
    }
    claims.not_covered.push_back(std::move(*claim));
  }
  if (keys.problem()) {
    return failed("claims/published: {}", keys.problem()->message);
  }
  return claims;
}

}  // namespace spillway
