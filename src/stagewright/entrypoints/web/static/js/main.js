// Everything the pages do by themselves. Each module looks for its own elements.
import "./times.js";
import "./actions.js";
import "./dialogs.js";
import "./palette.js";
import "./lists.js";
import "./forms.js";
import "./diagram.js";
import "./keys.js";
import "./session.js";
import "./live.js";
