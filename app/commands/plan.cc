#include <fmt/format.h>

#include "app/cli/cli.h"
#include "app/plan/report.h"
#include "app/report/report.h"
#include "core/json.h"

namespace spillway {
namespace {

struct PlanOptions {
  PlanRequest request;
  Option policy;  // --policy: has no meaning without a trace
  std::string compute = "model";
  std::string ram_price;
  std::string json;
  bool explain = false;
  bool claims = false;
};

Result<void> print(const std::string& table, const Json& json, const std::string& path) {
  Result<void> written;
  if (!path.empty()) {
    written = write_json(json, path);
  }
  if (path != "-") {
    fmt::print("{}", table);
  }
  return written;
}

Result<void> run_plan(const PlanOptions& options) {
  if (Result<void> writable = check_json_path(options.json, options.request.trace); !writable) {
    return writable;
  }
  if (options.claims) {
    Result<Claims> claims = check_claims();
    return claims ? print(claims_table(*claims), claims_json(*claims), options.json) : propagate(claims);
  }
  PlanRequest request = options.request;
  request.recorded_compute = options.compute == "recorded";
  if (request.recorded_compute && request.trace.empty()) {
    return wrong_usage("--compute recorded needs a trace with compute times: give --trace FILE");
  }
  if (options.policy.given() && request.trace.empty()) {
    return wrong_usage(
        "--policy {}: a policy is only used with --trace FILE; give a trace, or leave out --policy",
        request.policy.text);
  }
  if (!options.ram_price.empty()) {
    Result<double> price = parse_real(options.ram_price, {0, 1e6});
    if (!price) {
      return wrong_usage("--ram-price: {}", price.error().message);
    }
    request.ram_price = *price;
  }
  Result<PlanStudy> study = make_study(request);
  if (!study) {
    return propagate(study);
  }
  const std::string table = plan_table(*study) + (options.explain ? plan_explanation(*study) : "");
  return print(table, plan_json(*study), options.json);
}

void add_hardware_options(Command& command, PlanRequest& request) {
  command
      .text("--device", request.device,
            "A machine or a drive: a preset of 'spillway list machines' or 'list drives', the path of your "
            "own\n"
            "(./machine.json), a rate such as 7GB/s, or a profile that calibrate wrote, *.json\n"
            "(default: a desktop PC with a PCIe 4 drive)")
      .type_name("MACHINE");
  command
      .text(
          "--drive", request.drive,
          "The drive of the machine: a preset, its path, a rate, or a profile that calibrate wrote (*.json)")
      .type_name("DRIVE");
  command
      .text("--ram", request.ram,
            "Memory as it is sold, such as 36GB (default: the smallest sold with the machine that suffices)")
      .type_name("SIZE");
  command.count("--drives", {.least = 1, .most = 64}, request.drives, "Number of drives in a stripe")
      .show_default();
}

}  // namespace

void add_plan_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<PlanOptions>();
  PlanRequest& request = options->request;
  Command command = app.subcommand(
      "plan",
      "Tell whether a model fits a machine, how fast it would decode, and what to buy to make it faster");
  command.footer(
      "Examples:\n"
      "  spillway plan --model qwen3.5-122b-a10b --bits 2 --ram 36GB --device apple-m4-max\n"
      "  spillway plan --model gpt-oss-120b --device desktop-ddr5 --drive nvme-gen5 --target 10\n"
      "  spillway plan --gguf model.gguf --device 7GB/s --trace trace.bin --explain\n"
      "  spillway plan --model ./model.json --device ./machine.json --drive ./drive.json\n"
      "  spillway plan --claims\n\n"
      "Your own presets are copies of those in share/presets, named by their paths; in the folder that\n"
      "$SPILLWAY_PRESETS names (machines/NAME.json, drives/…, models/…) they have names like those that "
      "ship.");
  command.text("--model", request.model, "A preset of 'spillway list models', or the path of your own")
      .type_name("PRESET");
  command.text("--gguf", request.gguf, "A model file instead of --model; its own sizes are used")
      .type_name("GGUF");
  command
      .text("--bits", request.bits,
            "Bits per weight of a preset: 2 to 8 or 16 for the experts, the rest at least 4 (default: 4);\n"
            "or by name, 2,head=8.5,kv=8 or experts=2.31,rest=8.5")
      .type_name("BITS");
  add_hardware_options(command, request);
  command
      .count("--context", {.most = 100'000'000}, request.context,
             "Tokens in the context before the one that is decoded")
      .show_default();
  command.count("--experts-per-token", {.least = 1}, request.experts_per_token,
                "Experts that a token uses in each layer (default: as many as the model was trained with)");
  command
      .text("--runtime", request.runtime,
            "How the model is run: a preset of 'spillway list runtimes', or a path")
      .type_name("RUNTIME");
  Option locality = command.text("--locality", request.locality,
                                 "How experts recur: a preset of 'spillway list locality', or a path");
  locality.type_name("LOCALITY");
  command
      .text("--trace", request.trace,
            "Take the hit ratio from this trace, under --policy, instead of --locality")
      .excludes(locality)
      .type_name("TRACE");
  options->policy =
      command.plugin("--policy", request.policy, eviction_policies(), "The eviction policy of --trace")
          .show_default()
          .type_name("POLICY");
  command
      .text("--compute", options->compute,
            "Compute time; model: from bytes and presets; recorded: as in --trace")
      .one_of({"model", "recorded"})
      .show_default();
  command.real("--target", {0, 1e6}, request.target,
               "Find the cheapest memory and drive that reach this speed, in tok/s");
  command
      .text("--ram-price", options->ram_price,
            "Price of memory, in US dollars per GB (default: the machine's preset)")
      .type_name("N");
  command.flag("--explain", options->explain, "Show the arithmetic");
  command.flag("--claims", options->claims, "Only compare the planner with figures that others published");
  command
      .output("--json", options->json,
              "Write the plan as JSON to this file; - writes it to stdout instead of the table")
      .type_name("FILE");
  command.runs(invocation, [options] { return run_plan(*options); });
}

}  // namespace spillway
