// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Tells the journal when a URI's libvirt stops answering, and when it answers again: a line per
/// change, however many attempts lie between.

#include <optional>
#include <string>
#include <vector>

#include "guestd/events.hpp"

namespace guestd::daemon {

class Links {
public:
    explicit Links(std::vector<std::string> uris) : uris_(std::move(uris)), up_(uris_.size()) {}

    void heard(const Event& event);

private:
    void tell(UriId uri, bool up, const std::string& text);

    std::vector<std::string> uris_;
    std::vector<std::optional<bool>> up_;  ///< empty: nothing was heard yet
};

}  // namespace guestd::daemon
