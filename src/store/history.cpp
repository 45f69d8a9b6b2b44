// SPDX-License-Identifier: LGPL-2.1-or-later
#include "store/history.hpp"

#include "store/opening.hpp"
#include "store/rows.hpp"

namespace guestd::store {
namespace {

template <class Read>
auto guarded(Read read) -> Result<decltype(read())> {
    try {
        return read();
    } catch (const SqliteError& error) {
        return fail(error.means_damage() ? ErrorCode::corrupt : ErrorCode::io,
                    std::string{"reading the state: "} + error.what());
    } catch (const std::exception& error) {
        return fail(ErrorCode::internal, std::string{"reading the state: "} + error.what());
    }
}

}  // namespace

Result<std::unique_ptr<History>> History::open(const std::filesystem::path& dir) {
    const auto file = dir / kFileName;
    std::error_code error;
    if (!std::filesystem::exists(file, error))
        return fail(ErrorCode::unavailable, "there is no " + file.string());
    return guarded([&] {
        auto db = std::make_unique<Database>(file, OpenMode::read);
        db->number("PRAGMA user_version");
        db->limit_cache();
        return std::unique_ptr<History>{new History{std::move(db)}};
    });
}

History::History(std::unique_ptr<Database> db) : db_(std::move(db)) {}
History::~History() = default;

Result<std::vector<RunRecord>> History::runs(unsigned limit) {
    unsigned skipped = 0;
    return guarded([&] { return read_runs(*db_, std::int64_t{limit}, skipped); });
}

Result<std::vector<RunGuestRecord>> History::guests(RunId run) {
    unsigned skipped = 0;
    return guarded([&] { return read_guests(*db_, run, skipped); });
}

Result<std::vector<SpanRecord>> History::spans(RunId run) {
    unsigned skipped = 0;
    return guarded([&] { return read_spans(*db_, run, skipped); });
}

Result<std::vector<ResumeEntry>> History::resume_list() {
    unsigned skipped = 0;
    return guarded([&] { return read_resume_list(*db_, skipped); });
}

Result<std::map<std::string, double>> History::learned() {
    return guarded([&] { return read_learned(*db_); });
}

}  // namespace guestd::store
