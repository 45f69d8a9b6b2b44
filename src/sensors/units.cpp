// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sensors/units.hpp"

#include "sensors/words.hpp"

namespace guestd::sensors {
namespace {

constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManagerInterface = "org.freedesktop.systemd1.Manager";
constexpr const char* kProperties = "org.freedesktop.DBus.Properties";

struct Row {
    UnitState state;
    std::string path;
};

/// The one row of an answer to ListUnitsByNames.
bool read_row(sd_bus_message* reply, Row& row) {
    const char* load = nullptr;
    const char* active = nullptr;
    const char* path = nullptr;
    if (sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "(ssssssouso)") < 0 ||
        sd_bus_message_read(reply, "(ssssssouso)", nullptr, nullptr, &load, &active, nullptr,
                            nullptr, &path, nullptr, nullptr, nullptr) <= 0)
        return false;
    row = {{load, active}, path};
    return true;
}

}  // namespace

bool is_active(const UnitState& state) {
    // A unit that re-reads its configuration does its work meanwhile.
    return state.active == "active" || state.active == "reloading" || state.active == "refreshing";
}

std::string why_not_active(const std::string& unit, const UnitState& state) {
    if (state.load == "not-found")
        return unit + ": systemd does not know it";
    if (state.load == "masked")
        return unit + " is masked";
    return unit + " is " + state.active;
}

UnitNeed::UnitNeed(systemd::Loop& loop, ManagerLink& link, std::string unit, Duration safety,
                   Reporter reporter)
    : loop_(loop),
      link_(link),
      unit_(std::move(unit)),
      safety_(safety),
      reporter_(std::move(reporter)) {
    if (auto timer = loop.add_time(kNever, "unit", [this] { read(); }))
        timer_ = std::move(*timer);
    link_.add(*this);
}

UnitNeed::~UnitNeed() {
    match_.reset();
    question_.reset();
    link_.remove(*this);
}

void UnitNeed::up() {
    if (!question_)
        read();
}

void UnitNeed::down(const std::string& why) {
    match_.reset();
    question_.reset();
    path_.clear();
    again_ = false;
    timer_.disarm();
    // Once is a restart of dbus-daemon, or a way that this host does not have.
    if (++failures_ > 1)
        reporter_.fails(unit_ + ": systemd cannot be asked " + why);
}

void UnitNeed::read() {
    if (link_.bus() == nullptr)
        return;
    if (question_) {
        again_ = true;
        return;
    }
    again_ = false;
    sd_bus_message* call = nullptr;
    sd_bus_slot* slot = nullptr;
    int code = sd_bus_message_new_method_call(link_.bus(), &call, link_.destination(), kManagerPath,
                                              kManagerInterface, "ListUnitsByNames");
    if (code >= 0)
        code = sd_bus_message_append(call, "as", 1, unit_.c_str());
    if (code >= 0)
        code = sd_bus_message_set_auto_start(call, 0);
    if (code >= 0)
        code = sd_bus_call_async(link_.bus(), &slot, call, on_answer, this,
                                 static_cast<std::uint64_t>(link_.patience().count()));
    sd_bus_message_unref(call);
    question_.reset(slot);
    if (code < 0)
        reporter_.fails(unit_ + ": systemd cannot be asked: " + words(-code));
    timer_.arm(loop_.now() + safety_);
}

int UnitNeed::on_answer(sd_bus_message* reply, void* userdata, sd_bus_error*) noexcept {
    auto& self = *static_cast<UnitNeed*>(userdata);
    try {
        self.question_.reset();
        self.answered(reply);
    } catch (...) {
        // No memory: the timer asks again.
    }
    return 0;
}

void UnitNeed::answered(sd_bus_message* reply) {
    const sd_bus_error* error = sd_bus_message_get_error(reply);
    const std::string problem = error == nullptr            ? ""
                                : error->message != nullptr ? error->message
                                                            : error->name;
    // systemd's own refusals come as other errors: a bad name, a reload under way.
    if (error != nullptr && (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) != 0 ||
                             sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT) != 0 ||
                             sd_bus_error_has_name(error, SD_BUS_ERROR_DISCONNECTED) != 0 ||
                             sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) != 0 ||
                             sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) != 0))
        return link_.suspect(problem);
    failures_ = 0;
    if (error != nullptr)
        return reporter_.fails(unit_ + ": systemd says: " + problem);
    Row row;
    if (!read_row(reply, row))
        return reporter_.fails(unit_ + ": systemd's answer is not understood");
    if (is_active(row.state))
        reporter_.holds();
    else
        reporter_.fails(why_not_active(unit_, row.state));
    // What changed before we listened is read once more.
    if (row.path != path_)
        listen(row.path);
    if (again_)
        read();
}

void UnitNeed::listen(const std::string& path) {
    sd_bus_slot* slot = nullptr;
    const int code =
        sd_bus_match_signal_async(link_.bus(), &slot, link_.destination(), path.c_str(),
                                  kProperties, "PropertiesChanged", on_changed, nullptr, this);
    match_.reset(slot);
    path_ = path;
    again_ = again_ || code >= 0;
}

int UnitNeed::on_changed(sd_bus_message*, void* userdata, sd_bus_error*) noexcept {
    try {
        static_cast<UnitNeed*>(userdata)->read();
    } catch (...) {
        // No memory: the timer asks again.
    }
    return 0;
}

}  // namespace guestd::sensors
