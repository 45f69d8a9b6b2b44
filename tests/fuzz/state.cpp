// SPDX-License-Identifier: LGPL-2.1-or-later
// A state.db that somebody or something has damaged: guestd opens it or starts anew, and what it
// has kept then is whole. Whatever was read becomes the memory of a guestd that goes on with it:
// its arithmetic with stored times and figures is defined.
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "fuzz.hpp"
#include "life.hpp"
#include "store/history.hpp"
#include "store/opening.hpp"

using namespace guestd;
namespace fs = std::filesystem;

namespace {

/// In memory: a disk would be asked to sync thousands of times a second.
fs::path make_folder() {
    char name[] = "/dev/shm/guestd-fuzz-XXXXXX";
    fuzz::require(mkdtemp(name) != nullptr, "there is memory to write to");
    return name;
}

struct Folder {
    fs::path path = make_folder();
    ~Folder() { fs::remove_all(path); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Folder kFolder;
    for (const auto& left : fs::directory_iterator{kFolder.path})
        fs::remove_all(left);
    const auto text = fuzz::text_of(data, size);
    std::ofstream{kFolder.path / store::kFileName, std::ios::binary} << text;
    const auto first = store::open_state(kFolder.path, "boot");
    fuzz::require(first.db != nullptr, "a damaged file is set aside and replaced");
    const auto second = store::open_state(kFolder.path, "boot");
    fuzz::require(second.restored.resume_list.size() >= first.restored.resume_list.size(),
                  "nobody is forgotten by the next start");
    fuzz::live(first.restored, "boot");
    if (first.restored.unfinished)
        fuzz::live(first.restored, first.restored.unfinished->boot_id);
    const auto history = store::History::open(kFolder.path);
    fuzz::require(history.has_value(), "the history opens");
    if (const auto runs = (*history)->runs(1000)) {
        for (const auto& run : *runs) {
            static_cast<void>((*history)->guests(run.id));
            static_cast<void>((*history)->spans(run.id));
        }
    }
    static_cast<void>((*history)->learned());
    return 0;
}
