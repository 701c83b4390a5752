//! The days on which Danish registers load: weekdays that are no holidays.
