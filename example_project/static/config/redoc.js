const element = document.getElementById("redoc");
Redoc.init(element.dataset.schema, { disableSearch: true, hideDownloadButton: false }, element);
