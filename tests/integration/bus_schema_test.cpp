// SPDX-License-Identifier: LGPL-2.1-or-later

/// What each verb prints with --json is what docs/schema says. Stricter than the schemas: a key
/// that is not in them fails here, so that none is left undocumented.

#include <fstream>

#include "bus_fixture.hpp"

namespace guestd::bus::test {
namespace {

/// The part of JSON Schema that our schemas use. Complaints, with the path of what they are about.
std::string complaint(const json& schema, const json& value, const std::string& path = "$") {
    const std::string type = schema.at("type");
    const bool fits = type == "object"    ? value.is_object()
                      : type == "array"   ? value.is_array()
                      : type == "string"  ? value.is_string()
                      : type == "boolean" ? value.is_boolean()
                                          : type == "integer" && value.is_number_integer();
    if (!fits)
        return path + " is no " + type + "\n";
    if (schema.contains("enum") && schema["enum"].dump().find(value.dump()) == std::string::npos)
        return path + " is " + value.dump() + "\n";
    if (schema.contains("minimum") && value.get<std::int64_t>() < schema["minimum"])
        return path + " is too small\n";
    std::string all;
    if (type == "array")
        for (std::size_t i = 0; i < value.size(); ++i)
            all += complaint(schema.at("items"), value[i], path + "[" + std::to_string(i) + "]");
    if (type != "object")
        return all;
    for (const auto& key : schema.at("required"))
        if (!value.contains(key.get<std::string>()))
            all += path + " lacks " + key.dump() + "\n";
    for (const auto& [key, part] : value.items())
        all += schema.at("properties").contains(key)
                   ? complaint(schema["properties"][key], part, path + "." + key)
                   : path + " has " + key + ", which is not in the schema\n";
    return all;
}

json schema(const std::string& name) {
    const auto path =
        std::filesystem::path{__FILE__}.parent_path() / "../../docs/schema" / (name + ".json");
    std::ifstream file{path};
    return json::parse(file);
}

class Schema : public BusTest {
protected:
    Schema() {
        guestd->on_loop([&](Server&) { fill(); });
    }

    /// Everything that may be there is there.
    void fill() {
        auto& guest = facade.guest_views[0];
        guest.memory = {1ULL << 30};
        guest.run = 5;
        guest.phase = "save";
        guest.since = guest.step_deadline = at(10s);
        guest.held_for = guest.answer = guest.cause = "x";
        guest.bytes_total = {5};
        RunView run;
        run.record = {.id = 3,
                      .kind = RunKind::drain,
                      .trigger = Trigger::soft_reboot,
                      .state = RunState::finished,
                      .started = at(1s),
                      .deadline = at(9s),
                      .ended = at(2s),
                      .started_wall = WallTime{1s},
                      .selection = {"a*"}};
        facade.run_views = {run};
        facade.status_view.active_run = facade.status_view.last_run = run;
        facade.progress_view = ProgressView{.run = run, .active = {guest}, .active_total = 1};
        facade.run_guest_records = {{.run = 3,
                                     .uri = "test:///a",
                                     .uuid = uuid_number(1),
                                     .name = "db",
                                     .outcome = Outcome::saved,
                                     .cause = "x",
                                     .started = at(1s),
                                     .ended = at(2s),
                                     .bytes = {7}}};
        facade.span_records = {{3, "test:///a", uuid_number(1), "save", at(1s), at(2s), "x"}};
        facade.uri_views = {
            {.uri = "test:///a", .connected = true, .since = at(1s), .reason = "x"}};
        facade.resume_entries = {
            {.uri = "test:///a", .uuid = uuid_number(1), .name = "db", .since = WallTime{1s}, .last_error = "x"}};
        facade.setting_views = {{"shutdown.stop", "[]", "built-in"}};
    }

    void expect(const std::string& name, std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "--json");
        const Finished done = guestctl(arguments);
        ASSERT_NE(done.out, "") << name << ": " << done.err;
        EXPECT_EQ(complaint(schema(name), json::parse(done.out)), "") << name;
    }
};

TEST_F(Schema, HoldsForEveryVerb) {
    expect("status", {"status"});
    expect("list", {"list"});
    expect("show", {"show", "db"});
    expect("run", {"boot"});
    expect("run", {"drain"});
    expect("cancel", {"cancel"});
    expect("resume-list", {"resume-list"});
    expect("forgotten", {"resume-list", "--forget", "db"});
    expect("history", {"history"});
    expect("history-run", {"history", "3"});
    expect("plot", {"plot"});
    expect("plan", {"plan", "boot"});
    expect("plan", {"plan", "drain", "--deadline", "1s"});
    expect("import", {"import"});
    expect("config-show", {"config", "show"});
    expect("config-show", {"config", "show", "--files"});
    expect("config-check", {"config", "check"});
    expect("config-check", {"config", "check", "/nonexistent.toml"});
}

TEST_F(Schema, HoldsForARunThatWasWaitedFor) {
    guestd->on_loop([&](Server& server) {
        facade.on_run = [&server](RunId run) {
            server.guest_changed(done(run, 1, "db", Outcome::saved, "x"), "test:///a");
            server.run_ended(run, true);
        };
    });
    expect("run", {"drain", "--wait"});
}

}  // namespace
}  // namespace guestd::bus::test
