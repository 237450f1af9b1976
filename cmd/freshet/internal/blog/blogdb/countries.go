package blogdb

// countries is one country a line: ISO 3166-1 alpha-2 code, name, capital,
// region.
const countries = `AD|Andorra|Andorra la Vella|Europe
AE|United Arab Emirates|Abu Dhabi|Asia
AF|Afghanistan|Kabul|Asia
AG|Antigua and Barbuda|Saint John's|Americas
AL|Albania|Tirana|Europe
AM|Armenia|Yerevan|Asia
AO|Angola|Luanda|Africa
AR|Argentina|Buenos Aires|Americas
AT|Austria|Vienna|Europe
AU|Australia|Canberra|Oceania
AZ|Azerbaijan|Baku|Asia
BA|Bosnia and Herzegovina|Sarajevo|Europe
BB|Barbados|Bridgetown|Americas
BD|Bangladesh|Dhaka|Asia
BE|Belgium|Brussels|Europe
BF|Burkina Faso|Ouagadougou|Africa
BG|Bulgaria|Sofia|Europe
BH|Bahrain|Manama|Asia
BI|Burundi|Gitega|Africa
BJ|Benin|Porto-Novo|Africa
BN|Brunei|Bandar Seri Begawan|Asia
BO|Bolivia|Sucre|Americas
BR|Brazil|Brasília|Americas
BS|Bahamas|Nassau|Americas
BT|Bhutan|Thimphu|Asia
BW|Botswana|Gaborone|Africa
BY|Belarus|Minsk|Europe
BZ|Belize|Belmopan|Americas
CA|Canada|Ottawa|Americas
CD|DR Congo|Kinshasa|Africa
CF|Central African Republic|Bangui|Africa
CG|Congo|Brazzaville|Africa
CH|Switzerland|Bern|Europe
CI|Côte d'Ivoire|Yamoussoukro|Africa
CL|Chile|Santiago|Americas
CM|Cameroon|Yaoundé|Africa
CN|China|Beijing|Asia
CO|Colombia|Bogotá|Americas
CR|Costa Rica|San José|Americas
CU|Cuba|Havana|Americas
CV|Cabo Verde|Praia|Africa
CY|Cyprus|Nicosia|Europe
CZ|Czechia|Prague|Europe
DE|Germany|Berlin|Europe
DJ|Djibouti|Djibouti|Africa
DK|Denmark|Copenhagen|Europe
DM|Dominica|Roseau|Americas
DO|Dominican Republic|Santo Domingo|Americas
DZ|Algeria|Algiers|Africa
EC|Ecuador|Quito|Americas
EE|Estonia|Tallinn|Europe
EG|Egypt|Cairo|Africa
ER|Eritrea|Asmara|Africa
ES|Spain|Madrid|Europe
ET|Ethiopia|Addis Ababa|Africa
FI|Finland|Helsinki|Europe
FJ|Fiji|Suva|Oceania
FM|Micronesia|Palikir|Oceania
FR|France|Paris|Europe
GA|Gabon|Libreville|Africa
GB|United Kingdom|London|Europe
GD|Grenada|Saint George's|Americas
GE|Georgia|Tbilisi|Asia
GH|Ghana|Accra|Africa
GM|Gambia|Banjul|Africa
GN|Guinea|Conakry|Africa
GQ|Equatorial Guinea|Malabo|Africa
GR|Greece|Athens|Europe
GT|Guatemala|Guatemala City|Americas
GW|Guinea-Bissau|Bissau|Africa
GY|Guyana|Georgetown|Americas
HN|Honduras|Tegucigalpa|Americas
HR|Croatia|Zagreb|Europe
HT|Haiti|Port-au-Prince|Americas
HU|Hungary|Budapest|Europe
ID|Indonesia|Jakarta|Asia
IE|Ireland|Dublin|Europe
IL|Israel|Jerusalem|Asia
IN|India|New Delhi|Asia
IQ|Iraq|Baghdad|Asia
IR|Iran|Tehran|Asia
IS|Iceland|Reykjavík|Europe
IT|Italy|Rome|Europe
JM|Jamaica|Kingston|Americas
JO|Jordan|Amman|Asia
JP|Japan|Tokyo|Asia
KE|Kenya|Nairobi|Africa
KG|Kyrgyzstan|Bishkek|Asia
KH|Cambodia|Phnom Penh|Asia
KI|Kiribati|Tarawa|Oceania
KM|Comoros|Moroni|Africa
KN|Saint Kitts and Nevis|Basseterre|Americas
KP|North Korea|Pyongyang|Asia
KR|South Korea|Seoul|Asia
KW|Kuwait|Kuwait City|Asia
KZ|Kazakhstan|Astana|Asia
LA|Laos|Vientiane|Asia
LB|Lebanon|Beirut|Asia
LC|Saint Lucia|Castries|Americas
LI|Liechtenstein|Vaduz|Europe
LK|Sri Lanka|Sri Jayawardenepura Kotte|Asia
LR|Liberia|Monrovia|Africa
LS|Lesotho|Maseru|Africa
LT|Lithuania|Vilnius|Europe
LU|Luxembourg|Luxembourg|Europe
LV|Latvia|Riga|Europe
LY|Libya|Tripoli|Africa
MA|Morocco|Rabat|Africa
MC|Monaco|Monaco|Europe
MD|Moldova|Chișinău|Europe
ME|Montenegro|Podgorica|Europe
MG|Madagascar|Antananarivo|Africa
MH|Marshall Islands|Majuro|Oceania
MK|North Macedonia|Skopje|Europe
ML|Mali|Bamako|Africa
MM|Myanmar|Naypyidaw|Asia
MN|Mongolia|Ulaanbaatar|Asia
MR|Mauritania|Nouakchott|Africa
MT|Malta|Valletta|Europe
MU|Mauritius|Port Louis|Africa
MV|Maldives|Malé|Asia
MW|Malawi|Lilongwe|Africa
MX|Mexico|Mexico City|Americas
MY|Malaysia|Kuala Lumpur|Asia
MZ|Mozambique|Maputo|Africa
NA|Namibia|Windhoek|Africa
NE|Niger|Niamey|Africa
NG|Nigeria|Abuja|Africa
NI|Nicaragua|Managua|Americas
NL|Netherlands|Amsterdam|Europe
NO|Norway|Oslo|Europe
NP|Nepal|Kathmandu|Asia
NR|Nauru|Yaren|Oceania
NZ|New Zealand|Wellington|Oceania
OM|Oman|Muscat|Asia
PA|Panama|Panama City|Americas
PE|Peru|Lima|Americas
PG|Papua New Guinea|Port Moresby|Oceania
PH|Philippines|Manila|Asia
PK|Pakistan|Islamabad|Asia
PL|Poland|Warsaw|Europe
PS|Palestine|Ramallah|Asia
PT|Portugal|Lisbon|Europe
PW|Palau|Ngerulmud|Oceania
PY|Paraguay|Asunción|Americas
QA|Qatar|Doha|Asia
RO|Romania|Bucharest|Europe
RS|Serbia|Belgrade|Europe
RU|Russia|Moscow|Europe
RW|Rwanda|Kigali|Africa
SA|Saudi Arabia|Riyadh|Asia
SB|Solomon Islands|Honiara|Oceania
SC|Seychelles|Victoria|Africa
SD|Sudan|Khartoum|Africa
SE|Sweden|Stockholm|Europe
SG|Singapore|Singapore|Asia
SI|Slovenia|Ljubljana|Europe
SK|Slovakia|Bratislava|Europe
SL|Sierra Leone|Freetown|Africa
SM|San Marino|San Marino|Europe
SN|Senegal|Dakar|Africa
SO|Somalia|Mogadishu|Africa
SR|Suriname|Paramaribo|Americas
SS|South Sudan|Juba|Africa
ST|São Tomé and Príncipe|São Tomé|Africa
SV|El Salvador|San Salvador|Americas
SY|Syria|Damascus|Asia
SZ|Eswatini|Mbabane|Africa
TD|Chad|N'Djamena|Africa
TG|Togo|Lomé|Africa
TH|Thailand|Bangkok|Asia
TJ|Tajikistan|Dushanbe|Asia
TL|Timor-Leste|Dili|Asia
TM|Turkmenistan|Ashgabat|Asia
TN|Tunisia|Tunis|Africa
TO|Tonga|Nukuʻalofa|Oceania
TR|Türkiye|Ankara|Asia
TT|Trinidad and Tobago|Port of Spain|Americas
TV|Tuvalu|Funafuti|Oceania
TW|Taiwan|Taipei|Asia
TZ|Tanzania|Dodoma|Africa
UA|Ukraine|Kyiv|Europe
UG|Uganda|Kampala|Africa
US|United States|Washington, D.C.|Americas
UY|Uruguay|Montevideo|Americas
UZ|Uzbekistan|Tashkent|Asia
VA|Vatican City|Vatican City|Europe
VC|Saint Vincent and the Grenadines|Kingstown|Americas
VE|Venezuela|Caracas|Americas
VN|Vietnam|Hanoi|Asia
VU|Vanuatu|Port Vila|Oceania
WS|Samoa|Apia|Oceania
YE|Yemen|Sana'a|Asia
ZA|South Africa|Pretoria|Africa
ZM|Zambia|Lusaka|Africa
ZW|Zimbabwe|Harare|Africa
`
