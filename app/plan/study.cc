#include "app/plan/study.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "app/plan/sources.h"
#include "app/presets/presets.h"
#include "core/units.h"

namespace spillway {
namespace {

using plan::Question;

bool is_preset(const std::string& kind, const std::string& name) {
  return !presets_with_part(kind, name, {}).empty();
}

// The machine and the drive that are used if the user names none.
constexpr const char* kUsualMachine = "desktop-ddr5";
constexpr const char* kUsualDrive = "nvme-gen4";

// The hardware that the user asks about. --device names either a machine or a drive. A drive that is not
// named comes from the machine, and a machine that is not named is the usual one.
struct Hardware {
  MachinePreset machine;
  plan::Drive drive;
};

Result<Hardware> find_hardware(const PlanRequest& request) {
  const bool names_machine =
      is_preset("machines", request.device) ||
      (is_preset_path(request.device) && schema_of_file(request.device) == kMachineSchema);
  const bool names_drive = !request.device.empty() && !names_machine;
  if (names_drive && !request.drive.empty()) {
    return wrong_usage(
        "--device {}: there is no machine of that name; see 'spillway list machines' for the names",
        request.device);
  }
  Result<MachinePreset> machine = load_machine(names_machine ? request.device : kUsualMachine);
  if (!machine) {
    return propagate(machine);
  }
  const std::string built_in = machine->machine.drive.empty() ? kUsualDrive : machine->machine.drive;
  const std::string asked = names_drive ? request.device : request.drive;
  Result<plan::Drive> drive = find_drive(asked.empty() ? built_in : asked);
  if (!drive && names_drive && !is_preset_path(asked)) {
    return wrong_usage(
        "--device {}: neither a machine, nor a drive, nor a rate like 7GB/s; see 'spillway list machines' "
        "and 'spillway list drives' for the names",
        request.device);
  }
  if (!drive) {
    return propagate(drive);
  }
  drive->count = request.drives;
  return Hardware{std::move(*machine), std::move(*drive)};
}

struct ChosenModel {
  plan::ModelBytes bytes;
  std::string bits;
  std::string locality;
};

Result<ChosenModel> find_model(const PlanRequest& request) {
  if (request.model.empty() == request.gguf.empty()) {
    return wrong_usage(
        "name the model with either --model PRESET or --gguf FILE; see "
        "'spillway list models' for the presets");
  }
  if (!request.gguf.empty()) {
    if (!request.bits.empty()) {
      return wrong_usage("--bits: leave the option out, since {} has types of its own", request.gguf);
    }
    Result<plan::ModelBytes> bytes = read_model_bytes(request.gguf);
    // The file says nothing about locality, so the model gets the profile that most kinds of models resemble.
    return bytes ? Result<ChosenModel>(ChosenModel{*bytes, "as in the file", "qwen3-30b-a3b"})
                 : propagate(bytes);
  }
  Result<ModelShapePreset> preset = load_model_shape(request.model);
  Result<plan::BitWidths> bits = plan::parse_bits(request.bits.empty() ? "4" : request.bits);
  if (!preset || !bits) {
    return preset ? propagate(bits) : propagate(preset);
  }
  return ChosenModel{plan::model_bytes(preset->shape, *bits), plan::describe_bits(*bits), preset->locality};
}

Result<void> choose_runtimes(const PlanRequest& request, const MachinePreset& machine, Question& question) {
  Result<plan::Runtime> resident = load_runtime(machine.resident_runtime);
  Result<plan::Runtime> streaming = load_runtime(machine.streaming_runtime);
  if (!resident || !streaming) {
    return resident ? propagate(streaming) : propagate(resident);
  }
  question.resident = *resident;
  question.streaming = *streaming;
  if (!request.runtime.empty()) {
    Result<plan::Runtime> chosen = load_runtime(request.runtime);
    if (!chosen) {
      return propagate(chosen);
    }
    (chosen->streams ? question.streaming : question.resident) = *chosen;
  }
  return {};
}

Result<std::string> choose_locality(const PlanRequest& request, const std::string& of_model,
                                    Question& question) {
  if (request.trace.empty()) {
    Result<plan::LocalityProfile> profile =
        load_locality(request.locality.empty() ? of_model : request.locality);
    if (!profile) {
      return propagate(profile);
    }
    question.locality = *profile;
    return "measured on " + profile->name;
  }
  Result<TraceFacts> facts = read_trace_facts(request.trace, request.policy);
  if (!facts) {
    return propagate(facts);
  }
  question.locality = facts->locality;
  if (request.recorded_compute) {
    if (!facts->compute) {
      return wrong_usage("--compute recorded: the trace {} has no times; leave the option out",
                         request.trace);
    }
    question.recorded = facts->compute;
  }
  return fmt::format("{} on {} ({} tokens)", request.policy.text, request.trace, facts->decode_tokens);
}

// Returns the memory that the user asked for, or else the smallest memory that the machine is sold with and
// that the model fits in.
Result<uint64_t> choose_memory(const PlanRequest& request, const Question& question) {
  if (!request.ram.empty()) {
    return parse_memory(request.ram);
  }
  for (const uint64_t memory : question.machine.memory_options) {
    if (plan::plan_memory(plan::with_memory(question, memory)).fits()) {
      return memory;
    }
  }
  return question.machine.memory_options.back();
}

PlanVariant variant(std::string what, const Question& question) {
  return {std::move(what), plan::make_plan(question)};
}

void vary_model(const PlanRequest& request, const Question& question, PlanStudy& study) {
  for (const uint64_t context : {uint64_t(0), uint64_t(4096), uint64_t(32768), uint64_t(131072)}) {
    Question changed = question;
    changed.context = context;
    study.contexts.push_back(variant(fmt::format("{}", context), changed));
  }
  for (const uint32_t quarters : {4U, 3U, 2U, 1U}) {
    Question changed = question;
    changed.top_k = std::max(1U, question.model.top_k * quarters / 4);
    const std::string what = fmt::format("{}", changed.top_k);
    if (study.top_ks.empty() || study.top_ks.back().what != what) {
      study.top_ks.push_back(variant(what, changed));
    }
  }
  for (const uint32_t bits : {2U, 3U, 4U, 8U}) {
    Result<ModelShapePreset> preset = load_model_shape(request.model);
    if (request.model.empty() || !preset) {
      return;
    }
    Question changed = question;
    changed.model = plan::model_bytes(preset->shape, plan::named_bits(bits).value());
    study.bit_widths.push_back(variant(fmt::format("{}", bits), changed));
  }
}

Result<void> vary_hardware(const Question& question, PlanStudy& study) {
  for (const uint32_t count : {1U, 2U, 4U, 10U}) {
    plan::Drive drive = question.drive;
    drive.count = count;
    study.drive_counts.push_back(variant(fmt::format("{}", count), plan::with_drive(question, drive)));
  }
  // Runtimes of one processor share the prefix of their names: cpu-streaming, cpu-page-cache and cpu-mmap.
  const std::string family = question.streaming.name.substr(0, question.streaming.name.find('-'));
  for (const std::string& name : list_presets("runtimes", {})) {
    Result<plan::Runtime> runtime = load_runtime(name);
    if (!runtime) {
      return propagate(runtime);
    }
    if (runtime->streams && name.starts_with(family + "-")) {
      Question changed = question;
      changed.streaming = *runtime;
      study.paths.push_back(variant(name, changed));
    }
  }
  return {};
}

void sweep_hardware(const Question& question, PlanStudy& study) {
  for (const uint64_t gib : {8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512}) {
    study.memories.push_back(gib * kGiB);
  }
  study.bandwidths = {0.5e9, 1e9, 2e9, 3.5e9, 7e9, 14e9, 28e9, 56e9};
  study.speeds = plan::sweep(question, study.memories, study.bandwidths);
  study.memory_enough = plan::memory_enough(question, kEnoughGain);
  study.bandwidth_enough = plan::bandwidth_enough(question, kEnoughGain);
}

// Returns the drives that the machine can have: its built-in drive, or else the drive that the user has
// already, and one, two or four of each drive that is sold.
Result<std::vector<plan::Drive>> drives_for(const plan::Machine& machine, const plan::Drive& asked) {
  if (!machine.drive.empty()) {
    return std::vector<plan::Drive>{asked};
  }
  std::vector<plan::Drive> drives;
  if (asked.price == 0) {
    drives.push_back(asked);  // the user has it already
  }
  for (const std::string& name : list_presets("drives", {})) {
    Result<plan::Drive> drive = load_drive(name);
    if (!drive) {
      return propagate(drive);
    }
    for (const uint32_t count : {1U, 2U, 4U}) {
      drive->count = count;
      if (drive->price > 0) {
        drives.push_back(*drive);
      }
    }
  }
  return drives;
}

Result<PlanPurchase> purchase(const Question& question, double price_per_gb, double target) {
  Result<std::vector<plan::Drive>> drives = drives_for(question.machine, question.drive);
  if (!drives) {
    return propagate(drives);
  }
  const std::vector<plan::Offer> offers =
      plan::offers(question, question.machine.memory_options, *drives, price_per_gb);
  PlanPurchase found;
  found.machine = question.machine.name;
  found.drive_is_sold = question.machine.drive.empty();
  for (const bool surely : {false, true}) {
    if (const plan::Offer* offer = plan::cheapest(offers, target, surely); offer != nullptr) {
      (surely ? found.surely : found.likely) = *offer;
    }
  }
  for (const plan::Offer& offer : offers) {
    const bool faster = offer.plan.speed &&
                        (!found.fastest || offer.plan.speed->central > found.fastest->plan.speed->central);
    if (faster) {
      found.fastest = offer;
    }
  }
  return found;
}

// Adds the purchases for the same model on every machine, the machine asked about first.
Result<void> add_purchases(const PlanRequest& request, const Question& question, const MachinePreset& asked,
                           PlanStudy& study) {
  std::vector<std::string> names = list_presets("machines", {});
  std::stable_partition(names.begin(), names.end(),
                        [&](const std::string& name) { return name == asked.machine.name; });
  for (const std::string& name : names) {
    const bool is_asked = name == asked.machine.name;
    Result<MachinePreset> machine = load_machine(name);
    if (!machine) {
      return propagate(machine);
    }
    Question there = question;
    if (!is_asked) {
      there.machine = machine->machine;
      Result<plan::Drive> drive =
          find_drive(machine->machine.drive.empty() ? kUsualDrive : machine->machine.drive);
      PlanRequest any = request;
      any.runtime.clear();
      Result<void> chosen = choose_runtimes(any, *machine, there);
      if (!drive || !chosen) {
        return drive ? propagate(chosen) : propagate(drive);
      }
      there.drive = *drive;
    }
    Result<PlanPurchase> found =
        purchase(there, request.ram_price.value_or(machine->memory_price_per_gb), request.target);
    if (!found) {
      return propagate(found);
    }
    study.purchases.push_back(std::move(*found));
  }
  return {};
}

Result<Question> make_question(const PlanRequest& request, const Hardware& hardware, const ChosenModel& model,
                               PlanStudy& study) {
  Question question;
  question.model = model.bytes;
  question.machine = hardware.machine.machine;
  question.drive = hardware.drive;
  question.context = request.context;
  question.top_k = request.experts_per_token.value_or(model.bytes.top_k);
  if (question.top_k > model.bytes.experts_per_layer) {
    return wrong_usage("--experts-per-token {}: {} has only {} experts in each layer", question.top_k,
                       model.bytes.name, model.bytes.experts_per_layer);
  }
  if (Result<void> chosen = choose_runtimes(request, hardware.machine, question); !chosen) {
    return propagate(chosen);
  }
  Result<std::string> source = choose_locality(request, model.locality, question);
  if (!source) {
    return propagate(source);
  }
  study.locality_source = *source;
  Result<uint64_t> memory = choose_memory(request, question);
  if (!memory) {
    return propagate(memory);
  }
  question.machine.memory = *memory;
  return question;
}

}  // namespace

Result<PlanStudy> make_study(const PlanRequest& request) {
  PlanStudy study;
  study.request = request;
  Result<ChosenModel> model = find_model(request);
  if (!model) {
    return propagate(model);
  }
  Result<Hardware> hardware = find_hardware(request);
  if (!hardware) {
    return propagate(hardware);
  }
  Result<Question> question = make_question(request, *hardware, *model, study);
  if (!question) {
    return propagate(question);
  }
  study.bits = model->bits;
  study.question = *question;
  study.plan = plan::make_plan(*question);
  if (!request.runtime.empty()) {
    Result<plan::Runtime> asked = load_runtime(request.runtime);
    study.other_runtime = asked && asked->streams != study.plan.streams;
  }
  vary_model(request, *question, study);
  if (Result<void> varied = vary_hardware(*question, study); !varied) {
    return propagate(varied);
  }
  sweep_hardware(*question, study);
  if (request.target > 0) {
    if (Result<void> found = add_purchases(request, *question, hardware->machine, study); !found) {
      return propagate(found);
    }
  }
  return study;
}

}  // namespace spillway
