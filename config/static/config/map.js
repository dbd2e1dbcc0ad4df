// The areas on the home page. Works without tiles: dots, names and scale on a plain ground.
document.addEventListener("DOMContentLoaded", () => {
  const box = document.getElementById("desk-map");
  const places = JSON.parse(document.getElementById("desk-places").textContent);
  if (!box || !places.length) return;
  const map = L.map(box, { preferCanvas: true, scrollWheelZoom: false, attributionControl: Boolean(box.dataset.tiles) });
  if (box.dataset.tiles) {
    L.tileLayer(box.dataset.tiles, { attribution: box.dataset.attribution, maxZoom: 19 }).addTo(map);
  }
  L.control.scale({ imperial: false }).addTo(map);
  const dots = L.layerGroup().addTo(map);
  function draw(places) {
    dots.clearLayers();
    for (const place of places) {
      const popup = document.createElement("a");
      popup.href = place.url;
      popup.textContent = place.name;
      const text = document.createElement("div");
      text.append(popup, document.createElement("br"), place.text);
      // A node: of a string Leaflet would make HTML.
      const name = document.createTextNode(place.name);
      L.circleMarker(place.at, { radius: 9, weight: 2, color: "#ffffff", fillColor: place.colour, fillOpacity: 1 })
        .bindPopup(text)
        .bindTooltip(name, { permanent: !box.dataset.tiles && places.length <= 20, direction: "right", offset: [8, 0] })
        .addTo(dots);
    }
  }
  draw(places);
  map.fitBounds(places.map((place) => place.at), { padding: [40, 40], maxZoom: 14 });
  // States change while one looks (live.js); an open popup is left to its reader.
  let shown = JSON.stringify(places);
  document.addEventListener("desk:refreshed", () => {
    const fresh = document.getElementById("desk-places").textContent;
    if (box.querySelector(".leaflet-popup") || shown === JSON.stringify(JSON.parse(fresh))) return;
    shown = JSON.stringify(JSON.parse(fresh));
    draw(JSON.parse(fresh));
  });
});
