"use strict";
function openConfig() {}
